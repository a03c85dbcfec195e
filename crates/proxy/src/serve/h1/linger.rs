//! A client that still sends its request when the response to it is there: many send it all before they
//! read, and what is left unread when a connection is closed resets it, which takes the response from them.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;
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
    /// Read the rest of a request, as far as the listener allows. Returns whether that was all of it.
    pub async fn read_rest(&self, listener: &plan::Listener) -> bool {
        self.wire().reading.set(Instant::now(), listener.timeouts.linger.duration());
        let mut left = listener.limits.linger_bytes.get();
        poll_fn(|cx| self.wire().poll_rest(&mut left, cx)).await
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
    /// Whether the rest of the request, if there is any, is worth reading for the sake of the next one, when it
    /// is answered with `status`.
    pub fn goes_on_after(&self, status: StatusCode) -> bool {
        let is_small = self.decoder.remaining().is_some_and(|left| left <= SMALL_REST);
        match self.state.client() {
            ClientState::Done => true,
            // Its endpoint answers while it takes the body: the request may well end before its response.
            ClientState::SendingBody => {
                is_small || !(status.is_client_error() || status.is_server_error())
            }
            ClientState::BodyDiscarded => is_small,
            _ => false,
        }
    }

    fn poll_rest(&mut self, left: &mut u64, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match self.decode() {
                Ok(Decoded::Frame(_)) => continue,
                Ok(Decoded::End) => return Poll::Ready(true),
                Ok(Decoded::More) => {}
                Err(_) => return Poll::Ready(false),
            }
            match self.io.poll_read_through(cx, &mut self.input) {
                Poll::Ready(Ok(count @ 1..)) if count as u64 <= *left => *left -= count as u64,
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
                Poll::Ready(Ok(count @ 1..)) if count as u64 <= *left => {
                    *left -= count as u64;
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
