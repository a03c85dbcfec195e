//! The half of a stream that is written.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, request};
use quinn::{SendStream, StoppedError, VarInt};
use smallvec::SmallVec;

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
    /// What waits to be written: pieces, and what the next one is made of.
    waiting: SmallVec<[Bytes; 2]>,
    gathered: BytesMut,
    /// Bytes that the connection took.
    taken: u64,
    finished: bool,
    gone: bool,
    until_gone: Option<UntilGone>,
}

/// Bytes of the header of a frame of content.
const HEADER: usize = 16;
/// What a head and a little content after it take.
const USUAL: usize = 512;
/// So many bytes are sooner copied to what is before them than written as a piece of their own.
const COPIED: usize = 1_024;

impl Sending {
    /// Write on `stream`.
    pub fn new(stream: SendStream) -> Self {
        Self {
            stream,
            waiting: SmallVec::new(),
            gathered: BytesMut::new(),
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
        frame::write(frame::HEADERS, self.gather(USUAL), write);
    }

    /// Write content.
    pub fn push_data(&mut self, data: Bytes) {
        frame::begin(frame::DATA, data.len(), self.gather(HEADER));
        self.push(data);
    }

    /// Write bytes as they are.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= COPIED {
            self.gather(bytes.len()).extend_from_slice(&bytes);
        } else {
            self.end_piece();
            self.waiting.push(bytes);
        }
    }

    /// Where to write so many bytes.
    fn gather(&mut self, bytes: usize) -> &mut BytesMut {
        self.gathered.reserve(bytes);
        &mut self.gathered
    }

    fn end_piece(&mut self) {
        if !self.gathered.is_empty() {
            self.waiting.push(std::mem::take(&mut self.gathered).freeze());
        }
    }

    /// Ready once what waits was handed to the connection.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.end_piece();
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
        self.end_piece();
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
