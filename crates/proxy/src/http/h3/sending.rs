//! The half of a stream that is written.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, request};
use quinn::{SendStream, StoppedError, VarInt};

use super::code::Code;
use super::frame;
use super::head::{self, RequestForm};

/// Ends once the peer wants no more of the stream, or has all of it, or is gone.
type UntilGone = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>>>>;

/// The peer wants no more of the stream, or its connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// Writes frames on a stream. One that is dropped before it was finished is reset, so that its peer does not take what it
/// has for all.
pub struct Sending {
    stream: SendStream,
    /// What waits to be written.
    waiting: Vec<Bytes>,
    /// Bytes that the connection took.
    taken: u64,
    finished: bool,
    gone: bool,
    until_gone: Option<UntilGone>,
}

/// Bytes of a frame's header, and of what is before the fields of a head.
const HEADER: usize = 16;
/// What the section of a small head takes.
const USUAL_HEAD: usize = 256;

impl Sending {
    /// Write on `stream`.
    pub fn new(stream: SendStream) -> Self {
        Self {
            stream,
            waiting: Vec::new(),
            taken: 0,
            finished: false,
            gone: false,
            until_gone: None,
        }
    }

    /// Send it before what has a lower rank; it has 0 at first.
    pub fn set_rank(&self, rank: i32) {
        // One that is over has none.
        let _ = self.stream.set_priority(rank);
    }

    /// The place of its stream among those that the peer opened.
    pub fn index(&self) -> u64 {
        self.stream.id().index()
    }

    /// Write the head of a response.
    pub fn push_response(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.push_section(|section| head::write_response(status, headers, section));
    }

    /// Write the head of a request, as one of this form.
    pub fn push_request(&mut self, head: &request::Parts, form: RequestForm) {
        self.push_section(|section| head::write_request(head, form, section));
    }

    /// Write trailers.
    pub fn push_trailers(&mut self, trailers: &HeaderMap) {
        self.push_section(|section| head::write_trailers(trailers, section));
    }

    fn push_section(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let mut section = BytesMut::with_capacity(USUAL_HEAD);
        write(&mut section);
        self.push_frame(frame::HEADERS, section.freeze());
    }

    /// Write content.
    pub fn push_data(&mut self, data: Bytes) {
        self.push_frame(frame::DATA, data);
    }

    fn push_frame(&mut self, kind: u64, payload: Bytes) {
        let mut header = BytesMut::with_capacity(HEADER);
        frame::begin(kind, payload.len(), &mut header);
        self.waiting.extend([header.freeze(), payload]);
    }

    /// Write bytes as they are.
    pub fn push(&mut self, bytes: Bytes) {
        self.waiting.push(bytes);
    }

    /// Ready once what waits was handed to the connection.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        while !self.waiting.is_empty() {
            let written = ready!(pin!(self.stream.write_chunks(&mut self.waiting)).poll(cx));
            let written = written.map_err(|_| Gone)?;
            self.waiting.drain(..written.chunks);
            self.taken += written.bytes as u64;
        }
        Poll::Ready(Ok(()))
    }

    /// Bytes that the connection took so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Nothing more comes. Where something waits still, the peer is told that what it has is not all.
    pub fn finish(&mut self) {
        if !self.waiting.is_empty() {
            return self.give_up();
        }
        self.finished = true;
        // A peer that wants no more of it needs no end.
        let _ = self.stream.finish();
    }

    /// Tell the peer that what it has is not all.
    pub fn reset(&mut self, code: Code) {
        self.finished = true;
        let _ = self.stream.reset(code.into());
    }

    /// Tell the peer that what it has is not all, unless it was finished.
    pub fn give_up(&mut self) {
        if !self.finished {
            self.reset(Code::REQUEST_CANCELLED);
        }
    }

    /// Ready once the peer wants no more of it, or has all of it, or is gone.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.gone {
            let gone = self.until_gone.get_or_insert_with(|| Box::pin(self.stream.stopped()));
            let _ = ready!(gone.as_mut().poll(cx));
            (self.gone, self.until_gone) = (true, None);
        }
        Poll::Ready(())
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.give_up();
    }
}
