//! What the `h2` crate refuses by itself, seen in the frames that it writes.
//!
//! It answers a head that is too large with 431, and resets streams that break RFC 9113 or are one too many,
//! without a word to its user. A stream that was handed on is accounted for by what serves it; here are those
//! that never were.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use h2::Reason;
use tidegate_core::failure::Failure;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Types of frames (RFC 9113 §6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
/// Bytes of a frame's header, and of all that matters of RST_STREAM.
const HEADER: usize = 9;
const RESET: usize = HEADER + 4;

/// The refusals of a connection that are not accounted for yet.
#[derive(Debug, Default)]
pub struct Refusals {
    /// The last stream that was handed on.
    handed_on: Cell<u32>,
    /// The last stream that was answered with 431; the reset behind it says no more.
    too_large: Cell<u32>,
    /// By stream; 0 is the connection.
    noted: RefCell<Vec<(u32, Failure)>>,
}

impl Refusals {
    /// A stream is to be handed on, and those before it are no news any more. Answers with the failure for which
    /// it was refused meanwhile: `h2` reads on before it hands on what it has read.
    pub fn hand_on(&self, stream: u32) -> Option<Failure> {
        self.handed_on.set(stream.max(self.handed_on.get()));
        let mut noted = self.noted.borrow_mut();
        let at = noted.iter().position(|(refused, _)| *refused == stream)?;
        Some(noted.remove(at).1)
    }

    /// The connection ended with `error`.
    pub fn end(&self, error: &h2::Error) {
        // The peer's errors and the socket's are none of ours.
        if let (true, Some(reason)) = (error.is_library(), error.reason()) {
            self.noted.borrow_mut().push((0, failure_of(reason)));
        }
    }

    /// Those since this was asked last.
    pub fn take(&self) -> Vec<Failure> {
        self.noted.take().into_iter().map(|(_, failure)| failure).collect()
    }

    fn note(&self, frame: Frame) {
        let refused = match frame {
            Frame::Headers { stream } if stream > self.handed_on.get() => {
                self.too_large.set(stream);
                (stream, Failure::HeaderTooLarge)
            }
            Frame::Reset { stream, reason }
                if stream > self.handed_on.get() && stream != self.too_large.get() =>
            {
                (stream, failure_of(reason))
            }
            _ => return,
        };
        self.noted.borrow_mut().push(refused);
    }
}

/// What a client did where we reset its stream or close its connection for this reason.
fn failure_of(reason: Reason) -> Failure {
    match reason {
        Reason::REFUSED_STREAM => Failure::StreamLimit,
        Reason::ENHANCE_YOUR_CALM => Failure::TooManyFrames,
        _ => Failure::MalformedRequest,
    }
}

/// A stream to a client whose written frames are looked at.
pub struct Watched<S> {
    stream: S,
    frames: Frames,
    refusals: Rc<Refusals>,
}

impl<S> Watched<S> {
    /// Look at what is written to `stream`.
    pub fn new(stream: S, refusals: Rc<Refusals>) -> Self {
        Self { stream, frames: Frames::default(), refusals }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let part = left.min(buf.len());
            this.frames.read(&buf[..part], |frame| this.refusals.note(frame));
            left -= part;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A frame that tells of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Headers { stream: u32 },
    Reset { stream: u32, reason: Reason },
}

/// Finds the frames in what is written, whatever the pieces that it is written in.
#[derive(Debug, Default)]
struct Frames {
    /// The beginning of a frame, `known` bytes of it.
    beginning: [u8; RESET],
    known: usize,
    /// Bytes of its payload that are still to come and do not matter.
    payload: usize,
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8], mut see: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let taken = (self.wanted() - self.known).min(bytes.len());
            self.beginning[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            bytes = &bytes[taken..];
            if self.known == self.wanted() {
                self.take().into_iter().for_each(&mut see);
            }
        }
    }

    /// How much of a frame's beginning matters.
    fn wanted(&self) -> usize {
        if self.known >= HEADER && self.beginning[3] == RST_STREAM { RESET } else { HEADER }
    }

    /// The frame whose beginning is known, if it matters.
    fn take(&mut self) -> Option<Frame> {
        let [l0, l1, l2, kind, _, s0, s1, s2, s3, reason @ ..] = self.beginning;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        self.payload = length.saturating_sub(self.known - HEADER);
        self.known = 0;
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        match kind {
            HEADERS => Some(Frame::Headers { stream }),
            RST_STREAM => Some(Frame::Reset { stream, reason: u32::from_be_bytes(reason).into() }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
        [&length[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
    }

    fn reset(stream: u32, reason: Reason) -> Vec<u8> {
        frame(RST_STREAM, stream, &u32::from(reason).to_be_bytes())
    }

    /// What is noted of these frames, written in pieces of this size, when the streams up to 3 were handed on.
    fn noted(frames: &[Vec<u8>], piece: usize) -> Vec<Failure> {
        let (refusals, mut reader) = (Refusals::default(), Frames::default());
        assert_eq!(refusals.hand_on(3), None);
        for bytes in frames.concat().chunks(piece) {
            reader.read(bytes, |frame| refusals.note(frame));
        }
        refusals.take()
    }

    #[test]
    fn what_was_never_handed_on_is_noted_however_it_is_written() {
        let frames = [
            frame(4, 0, &[0; 12]),
            frame(HEADERS, 1, &[1; 300]),
            frame(0, 1, &[3; 20_000]),
            reset(3, Reason::CANCEL),
            frame(0, 1, &[]),
            reset(5, Reason::PROTOCOL_ERROR),
            reset(9, Reason::REFUSED_STREAM),
        ];
        for piece in [1, 2, 7, 9, 13, 100_000] {
            let expected = [Failure::MalformedRequest, Failure::StreamLimit];
            assert_eq!(noted(&frames, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_stream_that_was_refused_before_it_is_handed_on_is_noted_there_alone() {
        let refusals = Refusals::default();
        refusals.note(Frame::Reset { stream: 5, reason: Reason::PROTOCOL_ERROR });
        assert_eq!(refusals.hand_on(3), None);
        assert_eq!(refusals.hand_on(5), Some(Failure::MalformedRequest));
        assert!(refusals.take().is_empty());
    }

    #[test]
    fn a_head_that_is_too_large_is_noted_once() {
        let frames = [frame(HEADERS, 5, &[1; 20]), reset(5, Reason::PROTOCOL_ERROR)];
        assert_eq!(noted(&frames, 100), [Failure::HeaderTooLarge]);
    }
}
