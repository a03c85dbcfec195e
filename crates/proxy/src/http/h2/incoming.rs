//! Receiving a body on a stream.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Reason, RecvStream};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use crate::http::body::{Frame, NextFrame, Source};
use crate::http::trailers;
use crate::net::deadline::Deadline;

/// A body that comes in on a stream.
pub struct Incoming {
    stream: RecvStream,
    data_done: bool,
    done: bool,
    deadline: Deadline,
    idle: Duration,
    late: Failure,
    gone: Failure,
}

impl Incoming {
    /// Read `stream`; it fails as `late` after a silence of `idle`, and as `gone` where the peer breaks it.
    pub fn new(stream: RecvStream, idle: Duration, late: Failure, gone: Failure) -> Self {
        let done = stream.is_end_stream();
        let deadline = Deadline::default();
        Self { stream, data_done: done, done, deadline, idle, late, gone }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if !self.data_done {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Only the next read lets the peer send more, so one piece is all that is held.
                    let released = self.stream.flow_control().release_capacity(data.len());
                    let data = released.map(|()| Frame::Data(data)).map_err(|_| self.gone);
                    return Poll::Ready(Some(data));
                }
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => {}
                Some(Err(_)) => return Poll::Ready(Some(Err(self.gone))),
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
            Err(_) => Some(Err(self.gone)),
        })
    }
}

impl Source for Incoming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if self.done {
            return Poll::Ready(None);
        }
        let frame = match self.poll_stream(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                if !self.deadline.is_set() {
                    self.deadline.set(Instant::now(), self.idle);
                }
                ready!(self.deadline.poll_expired(cx));
                Some(Err(self.late))
            }
        };
        self.deadline.clear();
        self.done |= matches!(frame, Some(Err(_)));
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.done || self.stream.is_end_stream()
    }
}
