//! Sending a body on a stream, within the peer's flow-control window.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, SendStream};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use crate::http::body::{Body, Frame};
use crate::http::last_words::LastWords;
use crate::http::stopped::Stopped;
use crate::net::deadline::Deadline;

/// A body on its way into a stream.
pub struct Pump {
    stream: SendStream<Bytes>,
    body: Body,
    waiting: Bytes,
    deadline: Deadline,
    patience: Duration,
    /// Bytes sent so far.
    pub sent: u64,
    /// Whether the peer has all that there was to send: the body's next piece has not come.
    pub starved: bool,
}

impl Pump {
    /// Send `body` on `stream`; a peer that opens no window for `patience` ends it.
    pub fn new(stream: SendStream<Bytes>, body: Body, patience: Duration) -> Self {
        Self {
            stream,
            body,
            waiting: Bytes::new(),
            deadline: Deadline::default(),
            patience,
            sent: 0,
            starved: false,
        }
    }

    /// Ready once all was handed to the connection.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        self.starved = false;
        loop {
            while !self.waiting.is_empty() {
                let room = ready!(self.poll_room(cx))?;
                let piece = self.waiting.split_to(room.min(self.waiting.len()));
                let ends = self.waiting.is_empty() && self.body.is_end();
                self.sent += piece.len() as u64;
                self.stream.send_data(piece, ends).map_err(|_| Stopped::Peer)?;
                if ends {
                    return Poll::Ready(Ok(()));
                }
            }
            if let Poll::Ready(reset) = self.stream.poll_reset(cx) {
                let _: Result<Reason, _> = reset;
                return Poll::Ready(Err(Stopped::Peer));
            }
            let frame = self.body.poll_frame(cx);
            self.starved = frame.is_pending();
            match ready!(frame) {
                Some(Ok(Frame::Data(data))) => self.waiting = data,
                Some(Ok(Frame::Trailers(trailers))) => {
                    return Poll::Ready(
                        self.stream.send_trailers(trailers).map_err(|_| Stopped::Peer),
                    );
                }
                Some(Err(failure)) => return Poll::Ready(Err(self.break_off(failure))),
                None => {
                    let ended = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(ended.map_err(|_| Stopped::Peer));
                }
            }
        }
    }

    /// The body broke off: tell the peer, where there are words for it.
    fn break_off(&mut self, failure: Failure) -> Stopped {
        let told = match self.body.last_words(failure) {
            LastWords::Cut => return Stopped::Source(failure),
            LastWords::InContent => self.stream.send_data(Bytes::new(), true),
            LastWords::Trailers(trailers) => self.stream.send_trailers(trailers),
        };
        told.map_or(Stopped::Peer, |()| Stopped::Told(failure))
    }

    /// Tell the peer that what it got is not the whole body.
    pub fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Stopped>> {
        self.stream.reserve_capacity(self.waiting.len());
        let mut room = self.stream.capacity();
        while room == 0 {
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(more))) => room = more,
                Poll::Ready(_) => return Poll::Ready(Err(Stopped::Peer)),
                Poll::Pending => {
                    if !self.deadline.is_set() {
                        self.deadline.set(Instant::now(), self.patience);
                    }
                    ready!(self.deadline.poll_expired(cx));
                    return Poll::Ready(Err(Stopped::Stalled));
                }
            }
        }
        self.deadline.clear();
        Poll::Ready(Ok(room))
    }
}
