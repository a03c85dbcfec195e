//! Bytes that wait to be written.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::net::io::Io;

/// Body data up to this size is copied behind the head; above, it is written from where it lies.
const COPY_BELOW: usize = 2048;

/// Up to this size, more is gathered before it is written.
const HOLD_BELOW: usize = 16 * 1024;

/// What is to be written next: a buffer, a piece of body that was not copied, a tail.
#[derive(Debug, Default)]
pub struct Output {
    buffer: Vec<u8>,
    written: usize,
    data: Bytes,
    tail: &'static [u8],
}

impl Output {
    /// The buffer, to append to. Only while no body data waits behind it.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.data.is_empty() && self.tail.is_empty());
        &mut self.buffer
    }

    /// Queue body data and what follows it. Only while none waits.
    pub fn push(&mut self, data: Bytes, tail: &'static [u8]) {
        debug_assert!(self.data.is_empty() && self.tail.is_empty());
        if data.len() < COPY_BELOW {
            self.buffer.extend_from_slice(&data);
            self.buffer.extend_from_slice(tail);
        } else {
            self.data = data;
            self.tail = tail;
        }
    }

    /// Whether body data can be queued: none waits, and the buffer is small.
    pub fn takes_more(&self) -> bool {
        self.data.is_empty() && self.tail.is_empty() && self.buffer.len() < HOLD_BELOW
    }

    /// Whether everything was written.
    pub fn is_empty(&self) -> bool {
        self.written == self.buffer.len() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Write until nothing is left.
    pub fn poll_write(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let buffered = &self.buffer[self.written..];
            let written = if self.data.is_empty() && self.tail.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, buffered))?
            } else {
                let slices =
                    [IoSlice::new(buffered), IoSlice::new(&self.data), IoSlice::new(self.tail)];
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Pin::new(io).poll_flush(cx)
    }

    /// Give large memory back; called when the connection falls idle.
    pub fn shrink(&mut self) {
        if self.buffer.capacity() > 4096 {
            self.buffer = Vec::new();
        }
    }

    fn advance(&mut self, mut count: usize) {
        let from_buffer = count.min(self.buffer.len() - self.written);
        self.written += from_buffer;
        count -= from_buffer;
        if self.written == self.buffer.len() {
            self.buffer.clear();
            self.written = 0;
        }
        let from_data = count.min(self.data.len());
        self.data.advance(from_data);
        count -= from_data;
        if self.data.is_empty() {
            self.data = Bytes::new();
        }
        self.tail = &self.tail[count..];
    }
}

#[cfg(test)]
impl Output {
    /// Take everything that waits, as the wire would see it.
    pub fn contents(&mut self) -> Vec<u8> {
        let mut wire = self.buffer[self.written..].to_vec();
        wire.extend_from_slice(&self.data);
        wire.extend_from_slice(self.tail);
        *self = Self::default();
        wire
    }
}
