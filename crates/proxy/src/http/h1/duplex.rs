//! A connection behind status 101 (RFC 9110 §7.8).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::http::duplex::Duplex;
use crate::net::io::Io;

/// The connection, and what was read of it before it changed over.
pub struct Switched {
    input: BytesMut,
    io: Io,
}

impl Switched {
    /// What is behind status 101 on `io`, of which `input` was read already.
    pub fn new(input: BytesMut, io: Io) -> Self {
        Self { input, io }
    }
}

impl Duplex for Switched {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        poll_read(&mut self.io, &mut self.input, cx)
    }

    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_write(&mut self.io, bytes, cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn keep_to_limits(&mut self, _: &mut Context<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// The next piece of what comes on `io`: what was read as `input`, then what is there. A connection that waits holds no
/// buffer.
pub fn poll_read(
    io: &mut Io,
    input: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Option<Bytes>>> {
    if input.is_empty() {
        ready!(io.poll_read_through(cx, input))?;
    }
    let piece = std::mem::take(input).freeze();
    Poll::Ready(Ok((!piece.is_empty()).then_some(piece)))
}

/// Write some of `bytes`.
pub fn poll_write(io: &mut Io, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    match ready!(Pin::new(io).poll_write(cx, bytes))? {
        0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        count => {
            bytes.advance(count);
            Poll::Ready(Ok(()))
        }
    }
}
