//! Writing a request, while its response may come already.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_core::failure::Failure;

use super::connection::Connection;
use crate::http::body::{Body, Frame, NextFrame};
use crate::http::h1::encode;
use crate::http::h1::framing::Encoder;
use crate::upstream::client::{Outgoing, TryTimeouts};

/// How far a request has been sent.
pub(super) struct RequestWriter {
    body: Body,
    encoder: Encoder,
    done: bool,
    /// Whether there is a body.
    has_body: bool,
    /// Whether more of it was written, or all that there was, since this was last asked.
    progressed: bool,
    failed: bool,
}

impl RequestWriter {
    /// Put the head of `request` into the output; its body follows.
    pub(super) fn new(request: Outgoing<'_>, connection: &mut Connection) -> Self {
        let Outgoing { head, body, upgrade, .. } = request;
        let encoder = encode::request(head, &body, upgrade, connection.output.buffer());
        Self { body, encoder, done: false, has_body: false, progressed: false, failed: false }
    }

    /// Send what can be sent; ready once all of it is. A connection that takes no more is no
    /// failure yet: the endpoint may have answered before it closed.
    pub(super) fn poll_send(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
        while !self.done {
            let mut waiting = false;
            while !self.done && !waiting && connection.output.takes_more() {
                match self.body_frame(cx) {
                    Poll::Ready(Some(frame)) => self.encode(Some(frame?), connection)?,
                    Poll::Ready(None) => self.encode(None, connection)?,
                    Poll::Pending => waiting = true,
                }
            }
            match connection.output.poll_write(&mut connection.io, cx) {
                Poll::Ready(Ok(())) => self.progressed = self.has_body,
                Poll::Ready(Err(_)) => {
                    self.failed = true;
                    self.done = true;
                }
                Poll::Pending => {
                    // The rest is written when there is room; until then the request is not done.
                    return Poll::Pending;
                }
            }
            if waiting {
                return Poll::Pending;
            }
        }
        if !connection.output.is_empty() && !self.failed {
            match ready!(connection.output.poll_write(&mut connection.io, cx)) {
                Ok(()) => {}
                Err(_) => self.failed = true,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// How long the endpoint may take from now on, if it got more, or all that there was, since this was last asked.
    pub(super) fn progress(&mut self, timeouts: TryTimeouts) -> Option<Duration> {
        let limit = if self.done { timeouts.response } else { timeouts.idle };
        std::mem::take(&mut self.progressed).then_some(limit)
    }

    /// Whether the endpoint has all of it, so that its connection may carry another.
    pub(super) fn is_complete(&self) -> bool {
        self.done && !self.failed
    }

    fn body_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if self.encoder == Encoder::None && self.body.is_end() {
            return Poll::Ready(None);
        }
        let frame = self.body.poll_frame(cx);
        // One that has not begun is not the endpoint's to wait for either: its client, or its pace, holds it back.
        self.has_body |= !matches!(frame, Poll::Ready(None));
        frame
    }

    fn encode(&mut self, frame: Option<Frame>, connection: &mut Connection) -> Result<(), Failure> {
        let output = &mut connection.output;
        let encoded = match frame {
            Some(Frame::Data(data)) => self.encoder.data(data, output),
            Some(Frame::Trailers(trailers)) => {
                self.done = true;
                self.encoder.end(Some(&trailers), output)
            }
            None => {
                self.done = true;
                self.encoder.end(None, output)
            }
        };
        // A client whose body does not have the length it announced.
        encoded.map_err(|_| Failure::MalformedRequest)
    }
}
