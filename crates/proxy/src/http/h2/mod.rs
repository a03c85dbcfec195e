//! HTTP/2 (RFC 9113), both sides, on the `h2` crate's frames, streams and flow control.

pub mod pump;

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::body::{Frame, NextFrame};
use super::trailers;
use crate::net::deadline::Deadline;

/// Flow-control window of a stream: what a peer may send before it is read.
pub const STREAM_WINDOW: u32 = 256 * 1024;
/// Flow-control window of a connection.
pub const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Most of a stream's data that waits to be written.
pub const SEND_BUFFER: usize = 128 * 1024;

/// A body that comes in on a stream.
pub struct Incoming {
    stream: h2::RecvStream,
    data_done: bool,
    done: bool,
    deadline: Deadline,
    patience: Duration,
    late: Failure,
}

impl Incoming {
    /// Read `stream`; it fails as `late` after a silence of `patience`.
    pub fn new(stream: h2::RecvStream, patience: Duration, late: Failure) -> Self {
        let done = stream.is_end_stream();
        Self { stream, data_done: done, done, deadline: Deadline::default(), patience, late }
    }

    /// Whether nothing more will come.
    pub fn is_end(&self) -> bool {
        self.done || self.stream.is_end_stream()
    }

    /// The next piece; a stream that the peer breaks fails as `gone`.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>, gone: Failure) -> NextFrame {
        if self.done {
            return Poll::Ready(None);
        }
        let frame = match self.poll_stream(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                if !self.deadline.is_set() {
                    self.deadline.set(Instant::now(), self.patience);
                }
                ready!(self.deadline.poll_expired(cx));
                Some(Err(self.late))
            }
        };
        self.deadline.clear();
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|failure| {
                self.done = true;
                if failure == self.late { failure } else { gone }
            })
        }))
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if !self.data_done {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Only the next read lets the peer send more, so one piece is all that is held.
                    let released = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(match released {
                        Ok(()) => Ok(Frame::Data(data)),
                        Err(_) => Err(Failure::Internal),
                    }));
                }
                Some(Err(error)) if error.reason() == Some(h2::Reason::NO_ERROR) => {}
                Some(Err(_)) => return Poll::Ready(Some(Err(Failure::Internal))),
                None => {}
            }
            self.data_done = true;
        }
        let trailers = ready!(self.stream.poll_trailers(cx));
        self.done = true;
        Poll::Ready(match trailers {
            Ok(trailers) => {
                trailers.map(|trailers| Ok(Frame::Trailers(trailers::permitted(trailers))))
            }
            Err(_) => Some(Err(Failure::Internal)),
        })
    }
}
