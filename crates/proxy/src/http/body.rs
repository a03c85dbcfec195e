//! The one body type: a stream of frames, whoever sends them.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use tidegate_core::failure::Failure;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

use super::h2;
use super::replay::Replay;
use crate::upstream::client::{h1 as h1_client, h2 as h2_client};

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
    H1Request(crate::serve::h1::receive::RequestBody),
    /// From an endpoint over HTTP/1.
    H1Response(Box<h1_client::Exchange>),
    /// From a client over HTTP/2.
    H2Request(Box<h2::Incoming>),
    /// From an endpoint over HTTP/2.
    H2Response(Box<h2_client::Exchange>),
    /// The connection itself, which now speaks another protocol (101).
    Upgraded(Box<h1_client::Upgraded>),
    /// Content that is counted and limited.
    Metered(Box<Metered>),
    /// Content that must be complete in time.
    Timed(Box<Timed>),
    /// Content that is copied to a mirror on its way.
    Tee(Box<Tee>),
    /// The mirror's copy.
    Copy(Copy),
    /// Content of a request that may be sent again.
    Replay(Box<Replay>),
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
            Self::Metered(metered) => metered.poll_frame(cx),
            Self::Timed(timed) => timed.poll_frame(cx),
            Self::Tee(tee) => tee.poll_frame(cx),
            Self::Copy(copy) => copy.poll_frame(cx),
            Self::Replay(replay) => replay.poll_frame(cx),
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
            Self::Metered(metered) => metered.inner.is_end(),
            Self::Timed(timed) => timed.inner.is_end(),
            Self::Tee(tee) => tee.inner.is_end(),
            Self::Copy(_) => false,
            Self::Replay(replay) => replay.is_end(),
        }
    }

    /// A body of what is sent into a channel.
    #[cfg(test)]
    pub fn channel(pieces: usize) -> (mpsc::Sender<Frame>, Self) {
        let (sender, frames) = mpsc::channel(pieces);
        (sender, Self::Copy(Copy { frames, whole: Rc::new(Cell::new(true)) }))
    }

    /// This body, its bytes counted in `taken`, failing with [`Failure::BodyTooLarge`] where they
    /// go beyond `limit`.
    pub fn metered(self, limit: Option<u64>, taken: Rc<Cell<u64>>) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        Self::Metered(Box::new(Metered { inner: self, limit, taken }))
    }

    /// This body, failing as `late` where it is not complete at `deadline`.
    pub fn timed(self, deadline: Instant, late: Failure) -> Self {
        if self.is_end() {
            return self;
        }
        let timer = Box::pin(sleep_until(deadline));
        Self::Timed(Box::new(Timed { inner: self, timer, late }))
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

/// See [`Body::metered`].
pub struct Metered {
    inner: Body,
    limit: u64,
    taken: Rc<Cell<u64>>,
}

impl Metered {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.inner.poll_frame(cx));
        if let Some(Ok(Frame::Data(data))) = &frame {
            let taken = self.taken.get() + data.len() as u64;
            self.taken.set(taken);
            if taken > self.limit {
                return Poll::Ready(Some(Err(Failure::BodyTooLarge)));
            }
        }
        Poll::Ready(frame)
    }
}

/// See [`Body::timed`].
pub struct Timed {
    inner: Body,
    timer: Pin<Box<Sleep>>,
    late: Failure,
}

impl Timed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if let Poll::Ready(frame) = self.inner.poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(self.late)))
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
