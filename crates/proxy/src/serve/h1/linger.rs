//! Closing a connection so that the client gets to read its response.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::state::Event;
use super::transport::{Transport, Wire};
use crate::net::io::Io;

/// Most that is read and dropped meanwhile.
const LINGER_BYTES: usize = 1024 * 1024;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(2);

impl Transport {
    /// Say that nothing more comes, then read on for a while (RFC 9112 §9.6): what is left unread when a
    /// connection is closed resets it, and a reset takes what the client has not read yet.
    pub async fn linger(&self) {
        if self.is_quiet() {
            return;
        }
        self.wire().reading.set(Instant::now(), LINGER_TIME);
        let mut left = LINGER_BYTES;
        poll_fn(|cx| self.wire().poll_linger(&mut left, cx)).await;
    }

    /// Whether nothing is left unread as far as is known, and a close says all.
    fn is_quiet(&self) -> bool {
        let wire = &*self.wire();
        wire.state.is_request_done() && wire.input.is_empty() && matches!(wire.io, Io::Plain(_))
    }
}

impl Wire {
    fn poll_linger(&mut self, left: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.state.allows(Event::Close) {
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.state.on(Event::Close),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                // TLS says it in a record, for which there may be no room.
                Poll::Pending => return self.reading.poll_expired(cx),
            }
        }
        loop {
            self.input.clear();
            match self.io.poll_read_through(cx, &mut self.input) {
                Poll::Ready(Ok(count @ 1..)) if count < *left => *left -= count,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.reading.poll_expired(cx),
            }
        }
    }
}
