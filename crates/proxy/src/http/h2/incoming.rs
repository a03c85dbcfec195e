//! Receiving a body on a stream.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Reason, RecvStream};
use tidegate_core::failure::Failure;
use tidegate_core::message::{Malformed, trailers};

use crate::http::body::{Frame, NextFrame, Source};
use crate::http::failures::Failures;
use crate::http::silence::{Patient, Silence};

/// A body that comes in on a stream.
pub struct Incoming {
    stream: RecvStream,
    data_done: bool,
    done: bool,
    silence: Silence,
    failures: Failures,
}

/// How a body fails on a stream that ended with `error`.
fn failure_of(error: &h2::Error, failures: Failures) -> Failure {
    // Where `h2` itself ends a stream, the peer broke the protocol on it.
    match error.is_library() && error.reason() == Some(Reason::PROTOCOL_ERROR) {
        true => (failures.malformed)(Malformed::Syntax),
        false => failures.gone,
    }
}

impl Incoming {
    /// Read `stream`; it fails after a silence of `idle`.
    pub fn new(stream: RecvStream, idle: Duration, failures: Failures) -> Self {
        let done = stream.is_end_stream();
        let silence = Silence::new(idle, failures.late);
        Self { stream, data_done: done, done, silence, failures }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if !self.data_done {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Only the next read lets the peer send more, so one piece is all that is held.
                    let released = self.stream.flow_control().release_capacity(data.len());
                    let data = released.map(|()| Frame::Data(data)).map_err(|_| self.failures.gone);
                    return Poll::Ready(Some(data));
                }
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => {}
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(failure_of(&error, self.failures))));
                }
                None => {}
            }
            self.data_done = true;
        }
        let trailers = ready!(self.stream.poll_trailers(cx));
        self.done = true;
        Poll::Ready(match trailers {
            Ok(trailers) => trailers.map(|trailers| {
                let permitted = trailers::permitted(trailers).map(Frame::Trailers);
                permitted.map_err(self.failures.malformed)
            }),
            Err(error) => Some(Err(failure_of(&error, self.failures))),
        })
    }
}

impl Source for Incoming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if self.done {
            return Poll::Ready(None);
        }
        let polled = self.poll_stream(cx);
        let frame = ready!(self.silence.end(polled, cx));
        self.done |= matches!(frame, Some(Err(_)));
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.done || self.stream.is_end_stream()
    }
}

impl Patient for Incoming {
    fn wait_anew(&mut self) {
        self.silence.begin_anew();
    }
}
