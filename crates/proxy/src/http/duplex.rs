//! A connection or a stream that carries another protocol, both ways.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

/// One end of a tunnel: what a peer sends and is sent, in whatever version of HTTP that began.
///
/// Each half ends by itself. What breaks off is an error, of which the peer of the other end learns too.
pub trait Duplex {
    /// What the peer sends next, at most one piece of it; nothing once it has ended its half.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>>;

    /// Take some of `bytes` to the peer, and at least one; waits while the peer takes no more.
    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready once what was taken is on its way.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// End our half. All that was taken is on its way.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Keep to the limits that the tunnel has, of which the task is woken in time; fails once the tunnel is over.
    ///
    /// It is asked for whenever the tunnel is polled: neither half need be waited for when a limit is reached.
    fn keep_to_limits(&mut self, cx: &mut Context<'_>) -> io::Result<()>;
}

/// One end of a tunnel, and what is given back when it ends.
pub struct Holding<D, H> {
    duplex: D,
    _held: H,
}

impl<D: Duplex, H> Holding<D, H> {
    /// Hold `held` as long as there is `duplex`.
    pub fn new(duplex: D, held: H) -> Self {
        Self { duplex, _held: held }
    }
}

impl<D: Duplex, H> Duplex for Holding<D, H> {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        self.duplex.poll_read(cx)
    }

    fn poll_write(&mut self, bytes: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.duplex.poll_write(bytes, cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.duplex.poll_flush(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.duplex.poll_end(cx)
    }

    fn keep_to_limits(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.duplex.keep_to_limits(cx)
    }
}
