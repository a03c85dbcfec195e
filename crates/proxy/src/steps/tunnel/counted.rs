//! A tunnel that is counted.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::account::metrics::OpenTunnel;
use crate::http::duplex::Duplex;

/// The endpoint's end of a tunnel, whose bytes are counted.
pub(super) struct Counted<D> {
    pub(super) endpoint: D,
    pub(super) counts: OpenTunnel,
    /// Bytes that went to the endpoint, for the request's record.
    pub(super) received: Rc<Cell<u64>>,
}

impl<D: Duplex> Duplex for Counted<D> {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let piece = ready!(self.endpoint.poll_read(cx))?;
        if let Some(piece) = &piece {
            self.counts.to_client(piece.len() as u64);
        }
        Poll::Ready(Ok(piece))
    }

    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = bytes.len();
        ready!(self.endpoint.poll_write(bytes, cx))?;
        let taken = (before - bytes.len()) as u64;
        self.counts.to_endpoint(taken);
        self.received.set(self.received.get() + taken);
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.endpoint.poll_flush(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.endpoint.poll_end(cx)
    }

    fn keep_to_limits(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.endpoint.keep_to_limits(cx)
    }
}
