//! Receiving a body on a stream.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_core::message::{Malformed, trailers};

use super::code::Code;
use super::frame::Piece;
use super::head::{self, Refused};
use super::receiving::{Lost, Receiving};
use crate::http::body::{Frame, NextFrame, Source};
use crate::http::failures::Failures;
use crate::http::silence::{Patient, Silence};

/// A body that comes in on a stream.
pub struct Incoming {
    stream: Receiving,
    /// Content that was announced and has not come; `None`: its length is not known.
    left: Option<u64>,
    /// Bytes that trailers may have.
    limit: usize,
    silence: Silence,
    failures: Failures,
    done: bool,
}

impl Incoming {
    /// Read the content of a message on `stream`, of this length where it said one; it fails after a silence of `idle`.
    pub fn new(
        stream: Receiving,
        length: Option<u64>,
        limit: usize,
        idle: Duration,
        failures: Failures,
    ) -> Self {
        let silence = Silence::new(idle, failures.late);
        Self { stream, left: length, limit, silence, failures, done: false }
    }

    /// No more of it is wanted.
    pub fn cancel(&mut self) {
        self.stream.stop(Code::REQUEST_CANCELLED);
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let piece = match ready!(self.stream.poll_piece(cx)) {
            Ok(piece) => piece,
            Err(Lost::Reset(_) | Lost::Gone) => return Poll::Ready(Some(Err(self.failures.gone))),
            Err(Lost::TooLarge) => return self.refuse(Malformed::HeaderTooLarge),
            Err(Lost::Breach) => return self.refuse(Malformed::Syntax),
        };
        match piece {
            Some(Piece::Data(data)) => {
                let came = data.len() as u64;
                let left = self.left.map(|left| left.checked_sub(came));
                match left {
                    Some(None) => self.refuse(Malformed::Syntax),
                    left => {
                        self.left = left.flatten();
                        Poll::Ready(Some(Ok(Frame::Data(data))))
                    }
                }
            }
            // RFC 9114 §4.1.2: content is as long as it was announced.
            Some(Piece::Section(_)) | None if self.left.is_some_and(|left| left > 0) => {
                self.refuse(Malformed::Syntax)
            }
            Some(Piece::Section(section)) => match head::trailers(&section, self.limit) {
                Ok(fields) => match trailers::permitted(fields) {
                    Ok(fields) => {
                        self.done = true;
                        Poll::Ready(Some(Ok(Frame::Trailers(fields))))
                    }
                    Err(malformed) => self.refuse(malformed),
                },
                Err(Refused::Malformed(malformed)) => self.refuse(malformed),
                Err(Refused::Undecodable(code)) => {
                    self.stream.end_all(code);
                    self.refuse(Malformed::Syntax)
                }
            },
            Some(Piece::Control(..)) => self.refuse(Malformed::Syntax),
            None => Poll::Ready(None),
        }
    }

    fn refuse(&mut self, malformed: Malformed) -> NextFrame {
        self.stream.stop(Code::MESSAGE_ERROR);
        Poll::Ready(Some(Err((self.failures.malformed)(malformed))))
    }
}

impl Source for Incoming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if self.done {
            return Poll::Ready(None);
        }
        let polled = self.poll_stream(cx);
        let frame = ready!(self.silence.end(polled, cx));
        self.done |= matches!(frame, None | Some(Err(_)));
        Poll::Ready(frame)
    }

    fn is_end(&self) -> bool {
        self.done || self.left.unwrap_or(0) == 0 && self.stream.is_end()
    }
}

impl Patient for Incoming {
    fn wait_anew(&mut self) {
        self.silence.begin_anew();
    }
}
