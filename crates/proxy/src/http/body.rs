//! The one body type: a stream of frames, whoever sends them.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use tidegate_core::failure::Failure;
use tokio::sync::mpsc;

use super::{h1, h2};

/// A piece of a body.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Content.
    Data(Bytes),
    /// Fields after the content; nothing comes after them.
    Trailers(HeaderMap),
}

/// What a body's reader gets next.
pub type NextFrame = Poll<Option<Result<Frame, Failure>>>;

/// A message's content, as it comes. Nobody holds more of it than one piece.
#[derive(Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// Content that is all there.
    Full(Bytes),
    /// From a client over HTTP/1.
    H1Request(h1::server::RequestBody),
    /// From an endpoint over HTTP/1.
    H1Response(Box<h1::client::Exchange>),
    /// From a client over HTTP/2.
    H2Request(Box<h2::Incoming>),
    /// From an endpoint over HTTP/2.
    H2Response(Box<h2::client::Exchange>),
    /// The connection itself, which now speaks another protocol (101).
    Upgraded(Box<h1::client::Upgraded>),
    /// At most so much content.
    Capped(Box<Capped>),
    /// Content that is copied to a mirror on its way.
    Tee(Box<Tee>),
    /// The mirror's copy.
    Copy(Copy),
}

impl Body {
    /// A body that is all there.
    pub fn full(content: impl Into<Bytes>) -> Self {
        let content = content.into();
        if content.is_empty() { Self::Empty } else { Self::Full(content) }
    }

    /// The next piece.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        match self {
            Self::Empty | Self::Upgraded(_) => Poll::Ready(None),
            Self::Full(content) => {
                let content = std::mem::take(content);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::Data(content))))
            }
            Self::H1Request(body) => body.poll_frame(cx),
            Self::H1Response(exchange) => exchange.poll_frame(cx),
            Self::H2Request(incoming) => incoming.poll_frame(cx, Failure::ClientGone),
            Self::H2Response(exchange) => exchange.poll_frame(cx),
            Self::Capped(capped) => capped.poll_frame(cx),
            Self::Tee(tee) => tee.poll_frame(cx),
            Self::Copy(copy) => copy.poll_frame(cx),
        }
    }

    /// Whether nothing more will come; `false` where that is not known yet.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Empty | Self::Upgraded(_) => true,
            Self::Full(content) => content.is_empty(),
            Self::H1Request(body) => body.is_end(),
            Self::H1Response(exchange) => exchange.is_end(),
            Self::H2Request(incoming) => incoming.is_end(),
            Self::H2Response(exchange) => exchange.is_end(),
            Self::Capped(capped) => capped.inner.is_end(),
            Self::Tee(tee) => tee.inner.is_end(),
            Self::Copy(_) => false,
        }
    }

    /// This body, failing with [`Failure::BodyTooLarge`] where it goes beyond `limit` bytes.
    pub fn capped(self, limit: u64) -> Self {
        if self.is_end() { self } else { Self::Capped(Box::new(Capped { inner: self, left: limit })) }
    }

    /// This body, and a copy of it. The copy breaks off where its reader falls
    /// behind by more than `pieces`, so that a slow mirror never slows a request.
    pub fn tee(self, pieces: usize) -> (Self, Self) {
        if self.is_end() {
            return (self, Self::Empty);
        }
        let (copy, frames) = mpsc::channel(pieces);
        let whole = Rc::new(Cell::new(false));
        let tee = Tee { inner: self, copy: Some(copy), whole: whole.clone() };
        (Self::Tee(Box::new(tee)), Self::Copy(Copy { frames, whole }))
    }
}

/// See [`Body::capped`].
pub struct Capped {
    inner: Body,
    left: u64,
}

impl Capped {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.inner.poll_frame(cx));
        if let Some(Ok(Frame::Data(data))) = &frame {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(Failure::BodyTooLarge))),
            }
        }
        Poll::Ready(frame)
    }
}

/// See [`Body::tee`].
pub struct Tee {
    inner: Body,
    copy: Option<mpsc::Sender<Frame>>,
    whole: Rc<Cell<bool>>,
}

impl Tee {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.inner.poll_frame(cx));
        let kept = match (&frame, &self.copy) {
            (Some(Ok(frame)), Some(copy)) => copy.try_send(frame.clone()).is_ok(),
            (None, _) => {
                self.whole.set(self.copy.is_some());
                false
            }
            _ => false,
        };
        if !kept {
            self.copy = None;
        }
        Poll::Ready(frame)
    }
}

/// The receiving end of [`Body::tee`]. Fails where the copy broke off.
pub struct Copy {
    frames: mpsc::Receiver<Frame>,
    whole: Rc<Cell<bool>>,
}

impl Copy {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        Poll::Ready(match ready!(self.frames.poll_recv(cx)) {
            Some(frame) => Some(Ok(frame)),
            None if self.whole.get() => None,
            None => Some(Err(Failure::ClientGone)),
        })
    }
}
