//! The half of a stream that is read.

use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use quinn::{Connection, ReadError, RecvStream, VarInt};

use super::code::Code;
use super::frame::{Breach, Frames, Piece};

/// Why nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The peer gave the stream up, for this reason.
    Reset(Code),
    /// The connection is gone.
    Gone,
    /// A field section is longer than it may be.
    TooLarge,
    /// What came breaks the protocol, and the connection ended with it.
    Breach,
}

/// Reads the frames of a stream. When dropped, the peer learns that no more is wanted of it.
#[derive(Debug)]
pub struct Receiving {
    stream: RecvStream,
    connection: Connection,
    frames: Frames,
    input: Bytes,
    ended: bool,
}

impl Receiving {
    /// Read `stream` of `connection` as one of these `frames`; `input` was read already.
    pub fn new(connection: Connection, stream: RecvStream, input: Bytes, frames: Frames) -> Self {
        Self { stream, connection, frames, input, ended: false }
    }

    /// The next piece; nothing once the stream has ended.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, Lost>> {
        loop {
            match self.frames.next(&mut self.input) {
                Ok(Some(piece)) => {
                    if self.input.is_empty() {
                        // Whether the stream ends here is often known already.
                        let _ = self.poll_chunk(cx)?;
                    }
                    return Poll::Ready(Ok(Some(piece)));
                }
                Ok(None) => {}
                Err(Breach::SectionTooLarge) => return Poll::Ready(Err(Lost::TooLarge)),
                Err(Breach::Connection(code)) => return Poll::Ready(Err(self.end_all(code))),
            }
            if self.ended {
                return Poll::Ready(match self.frames.is_between() {
                    true => Ok(None),
                    false => Err(self.end_all(Code::FRAME_ERROR)),
                });
            }
            ready!(self.poll_chunk(cx))?;
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let chunk = ready!(pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx));
        Poll::Ready(match chunk {
            Ok(Some(chunk)) => {
                self.input = chunk.bytes;
                Ok(())
            }
            Ok(None) => {
                self.ended = true;
                Ok(())
            }
            Err(error) => {
                self.ended = true;
                Err(match error {
                    ReadError::Reset(code) => Lost::Reset(Code(code.into_inner())),
                    _ => Lost::Gone,
                })
            }
        })
    }

    /// The number of the stream.
    pub fn number(&self) -> u64 {
        self.stream.id().into()
    }

    /// Whether all of the stream came and was read.
    pub fn is_end(&self) -> bool {
        self.ended && self.input.is_empty() && self.frames.is_between()
    }

    /// End the whole connection, for this reason.
    pub fn end_all(&mut self, code: Code) -> Lost {
        tracing::debug!(?code, "a peer breaks HTTP/3");
        self.ended = true;
        self.connection.close(code.into(), b"");
        Lost::Breach
    }

    /// Read no more, for this reason.
    pub fn stop(&mut self, code: Code) {
        self.ended = true;
        // One that was reset needs no telling.
        let _ = self.stream.stop(code.into());
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if !self.ended {
            self.stop(Code::NO_ERROR);
        }
    }
}

impl From<Code> for VarInt {
    fn from(code: Code) -> Self {
        Self::try_from(code.0).unwrap_or_default()
    }
}
