//! A connection to an endpoint, which carries one request at a time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use crate::http::h1::output::Output;
use crate::net::deadline::Deadline;
use crate::net::io::Io;
use crate::upstream::connection_slot::ConnectionSlot;

/// First size of a read of a body; doubled while reads fill it.
const FIRST_READ: usize = 16 * 1024;
/// Largest size of a read.
const LARGEST_READ: usize = 256 * 1024;

/// A connection to an endpoint.
pub struct Connection {
    /// The stream.
    pub io: Io,
    /// When it was opened.
    pub opened: Instant,
    /// What was read and not yet taken.
    pub(super) input: BytesMut,
    /// What is to be written.
    pub(super) output: Output,
    /// Until when whatever is awaited must come.
    pub(super) deadline: Deadline,
    /// Whether it has carried a request before.
    pub(super) used: bool,
    /// Its place among the endpoint's connections.
    pub(super) slot: ConnectionSlot,
    read_size: usize,
}

impl Connection {
    /// A connection that was just opened.
    pub fn new(io: Io, opened: Instant, slot: ConnectionSlot) -> Self {
        Self {
            io,
            opened,
            input: BytesMut::new(),
            output: Output::default(),
            deadline: Deadline::default(),
            used: false,
            slot,
            read_size: FIRST_READ,
        }
    }

    /// Whether the endpoint left this unused connection alone: neither closed it nor sent anything.
    pub fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        self.io.poll_read_through(cx, &mut self.input).is_pending()
    }

    /// Read some of a head, and most often the whole of a small response.
    pub(super) fn poll_read_head(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        self.io.poll_read_through(cx, &mut self.input)
    }

    /// Read some of a body into where it will be written from.
    pub(super) fn poll_read_body(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        self.input.reserve(self.read_size);
        let room = self.input.capacity() - self.input.len();
        let count = ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut self.input))?;
        if count == room && self.read_size < LARGEST_READ {
            self.read_size *= 2;
        }
        Poll::Ready(Ok(count))
    }

    /// Get ready to wait for another request, without the memory that the last one took.
    pub(super) fn rest(&mut self) {
        self.used = true;
        self.input = BytesMut::new();
        self.output.shrink();
    }
}
