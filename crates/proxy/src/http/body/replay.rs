//! Content that was taken before, read again from its start.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::{Body, Frame, NextFrame, Source};

/// A body, and what was taken of it so far.
pub struct Recording {
    source: Body,
    /// Content in one piece, because frames that are kept could hold on to far larger buffers; absent: too
    /// much was taken, or no more is wanted.
    pub(super) kept: Option<BytesMut>,
    trailers: Option<HeaderMap>,
    ended: bool,
    limit: usize,
}

impl Recording {
    /// Of `source`, up to `limit` bytes are kept.
    pub fn new(source: Body, limit: usize) -> Self {
        Self { source, kept: Some(BytesMut::new()), trailers: None, ended: false, limit }
    }

    /// Whether all of it was taken.
    pub fn is_end(&self) -> bool {
        self.ended || self.source.is_end()
    }

    /// The next piece from where the body comes from.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let frame = ready!(self.source.poll_frame(cx));
        match &frame {
            Some(Ok(Frame::Data(data))) => match &mut self.kept {
                Some(kept) if kept.len() + data.len() <= self.limit => kept.extend_from_slice(data),
                _ => self.kept = None,
            },
            Some(Ok(Frame::Trailers(trailers))) => {
                self.trailers = self.kept.as_ref().map(|_| trailers.clone());
                self.ended = true;
            }
            Some(Err(_)) => self.kept = None,
            None => self.ended = true,
        }
        Poll::Ready(frame)
    }
}

/// One reading of a [`Recording`]: first what was kept, then what is still to come.
pub struct Replay {
    recording: Rc<RefCell<Recording>>,
    /// Content and trailers that are to be read again.
    again: Bytes,
    trailers: Option<HeaderMap>,
}

impl Replay {
    /// From the start; `None` where that is gone.
    pub fn from_start(recording: &Rc<RefCell<Recording>>) -> Option<Self> {
        let recorded = recording.borrow();
        let again = Bytes::copy_from_slice(recorded.kept.as_ref()?);
        let trailers = recorded.trailers.clone();
        drop(recorded);
        Some(Self { recording: recording.clone(), again, trailers })
    }
}

impl Source for Replay {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if !self.again.is_empty() {
            return Poll::Ready(Some(Ok(Frame::Data(std::mem::take(&mut self.again)))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::Trailers(trailers))));
        }
        let mut recording = self.recording.borrow_mut();
        if recording.ended {
            return Poll::Ready(None);
        }
        recording.poll_source(cx)
    }

    fn is_end(&self) -> bool {
        self.again.is_empty() && self.trailers.is_none() && self.recording.borrow().is_end()
    }
}
