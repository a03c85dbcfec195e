//! Sending a body on a stream, within what the peer takes.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::sending::{Gone, Sending};
use crate::http::body::{Body, Frame};
use crate::http::last_words::LastWords;
use crate::http::stopped::Stopped;
use crate::net::deadline::Deadline;

/// A body on its way into a stream.
pub struct Pump {
    body: Body,
    /// Content of the piece that waits to be taken.
    waiting: u64,
    /// Whether the body's last piece waits or was taken.
    ends: bool,
    /// Why the body broke off, if its last piece tells the peer so.
    told: Option<Failure>,
    deadline: Deadline,
    patience: Duration,
    /// Bytes sent so far.
    pub sent: u64,
    /// Whether the peer has all that there was to send: the body's next piece has not come.
    pub starved: bool,
}

impl Pump {
    /// Send `body`; a peer that takes nothing for `patience` ends it.
    pub fn new(body: Body, patience: Duration) -> Self {
        let deadline = Deadline::default();
        let ends = body.is_end();
        Self { body, waiting: 0, ends, told: None, deadline, patience, sent: 0, starved: false }
    }

    /// Ready once all was handed to the connection, and the stream is finished.
    pub fn poll(
        &mut self,
        stream: &mut Sending,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        self.starved = false;
        loop {
            // A head goes with the first piece of content, if that is there.
            if self.ends || self.waiting > 0 {
                ready!(self.poll_flush(stream, cx))?;
            }
            if self.ends {
                stream.finish();
                return Poll::Ready(
                    self.told.map_or(Ok(()), |failure| Err(Stopped::Told(failure))),
                );
            }
            match self.body.poll_frame(cx) {
                Poll::Ready(Some(Ok(Frame::Data(data)))) => {
                    self.waiting = data.len() as u64;
                    self.ends = self.body.is_end();
                    stream.push_data(data);
                }
                Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => {
                    // None may be left of those that came.
                    if !trailers.is_empty() {
                        stream.push_trailers(&trailers);
                    }
                    self.ends = true;
                }
                Poll::Ready(Some(Err(failure))) => {
                    match self.body.last_words(failure) {
                        LastWords::Cut => return Poll::Ready(Err(Stopped::Source(failure))),
                        LastWords::InContent => {}
                        LastWords::Trailers(trailers) => stream.push_trailers(&trailers),
                    }
                    (self.ends, self.told) = (true, Some(failure));
                }
                Poll::Ready(None) => self.ends = true,
                Poll::Pending => {
                    ready!(self.poll_flush(stream, cx))?;
                    self.starved = true;
                    ready!(stream.poll_gone(cx));
                    return Poll::Ready(Err(Stopped::Peer));
                }
            }
        }
    }

    fn poll_flush(
        &mut self,
        stream: &mut Sending,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        let before = stream.taken();
        match stream.poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.sent += std::mem::take(&mut self.waiting);
                self.deadline.clear();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(Gone)) => Poll::Ready(Err(Stopped::Peer)),
            Poll::Pending => {
                if !self.deadline.is_set() || stream.taken() > before {
                    self.deadline.set(Instant::now(), self.patience);
                }
                ready!(self.deadline.poll_expired(cx));
                Poll::Ready(Err(Stopped::Stalled))
            }
        }
    }
}
