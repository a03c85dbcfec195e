//! A client that still sends its request when the response to it is there: many send it all before they
//! read, and what is left unread when a connection is closed resets it, which takes the response from them.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_core::plan;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::state::{ClientState, Event};
use super::transport::{Transport, Wire};
use crate::http::h1::framing::Decoded;
use crate::net::io::Io;

/// Up to this size, reading what is left of a request costs less than a new connection.
const SMALL_REST: u64 = 256 * 1024;
/// Longest silence of a client that was told that nothing more comes.
const SILENCE: Duration = Duration::from_secs(2);

impl Transport {
    /// Read the rest of a request, for `limit` at most. Returns whether that was all of it.
    pub async fn read_rest(&self, limit: Duration) -> bool {
        self.wire().reading.set(Instant::now(), limit);
        poll_fn(|cx| self.wire().poll_rest(cx)).await
    }

    /// Close the connection once the client has had the chance to read the response: say that nothing more
    /// comes, then read on for a while (RFC 9112 §9.6).
    pub async fn linger(&self, listener: &plan::Listener) {
        if self.is_quiet() {
            return;
        }
        let now = Instant::now();
        self.wire().reading.set(now, listener.timeouts.linger.duration());
        self.wire().writing.set(now, SILENCE);
        let mut left = listener.limits.linger_bytes.get();
        poll_fn(|cx| self.wire().poll_linger(&mut left, cx)).await;
    }

    /// Whether nothing is left unread as far as is known, and a close says all.
    fn is_quiet(&self) -> bool {
        let wire = &*self.wire();
        wire.state.is_request_done() && wire.input.is_empty() && matches!(wire.io, Io::Plain(_))
    }
}

impl Wire {
    /// Whether what is left of the request, if anything, is known to be little.
    pub fn is_rest_small(&self) -> bool {
        match self.state.client() {
            ClientState::Done => true,
            ClientState::SendingBody | ClientState::BodyDiscarded => {
                self.decoder.remaining().is_some_and(|left| left <= SMALL_REST)
            }
            _ => false,
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match self.decode() {
                Ok(Decoded::Frame(_)) => continue,
                Ok(Decoded::End) => return Poll::Ready(true),
                Ok(Decoded::More) => {}
                Err(_) => return Poll::Ready(false),
            }
            match self.io.poll_read_through(cx, &mut self.input) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => {
                    ready!(self.reading.poll_expired(cx));
                    return Poll::Ready(false);
                }
            }
        }
    }

    fn poll_linger(&mut self, left: &mut u64, cx: &mut Context<'_>) -> Poll<()> {
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
                Poll::Ready(Ok(count @ 1..)) => {
                    *left = left.saturating_sub(count as u64);
                    if *left == 0 {
                        return Poll::Ready(());
                    }
                    self.writing.set(Instant::now(), SILENCE);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    if self.writing.poll_expired(cx).is_pending() {
                        ready!(self.reading.poll_expired(cx));
                    }
                    return Poll::Ready(());
                }
            }
        }
    }
}
