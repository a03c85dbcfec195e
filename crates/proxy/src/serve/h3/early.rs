//! Requests that come in early data, before their client has shown that it is there and sends them just now (RFC 8470).
//!
//! A session is known to the memory of its listener alone, which gives it out once: what is sent again is not served again by that
//! listener, and not taken early by any other. An endpoint cannot know that, and is told.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::HeaderValue;
use http::header::HeaderName;
use http::request::Parts;
use quinn::{Connection, ZeroRttAccepted};
use tidegate_core::failure::Failure;
use tokio::sync::watch;
use tokio::time::{Instant, Timeout, timeout, timeout_at};

use super::handshake::Handshake;
use crate::account::metrics::QuicEvent;
use crate::client::Client;

const EARLY_DATA: HeaderName = HeaderName::from_static("early-data");
const YES: HeaderValue = HeaderValue::from_static("1");

/// The handshake of a connection on which requests are taken.
#[derive(Default)]
pub struct Shaking(Option<UnderWay>);

/// A handshake during which requests are taken already.
struct UnderWay {
    handshake: Handshake,
    /// Ready with its end, whatever that is, or when it takes too long.
    ended: Pin<Box<Timeout<ZeroRttAccepted>>>,
    is_complete: watch::Sender<bool>,
}

impl Shaking {
    /// It is under way, and may last until then.
    pub fn under_way(handshake: Handshake, ended: ZeroRttAccepted, until: Instant) -> Self {
        let ended = Box::pin(timeout_at(until, ended));
        Self(Some(UnderWay { handshake, ended, is_complete: watch::Sender::default() }))
    }

    /// Ready if it failed, so that the `connection` of this client has not come about.
    pub fn poll_failed(
        &mut self,
        client: &Client,
        connection: &Connection,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(under_way) = &mut self.0 else { return Poll::Pending };
        let in_time = ready!(under_way.ended.as_mut().poll(cx)).is_ok();
        if !in_time || connection.close_reason().is_some() {
            return Poll::Ready(());
        }
        if let Some(UnderWay { handshake, is_complete, .. }) = self.0.take() {
            handshake.complete(client);
            is_complete.send_replace(true);
        }
        Poll::Pending
    }

    /// What requests that come meanwhile know of it; nothing once it is complete.
    pub fn early(&self) -> Option<Early> {
        self.0.as_ref().map(|under_way| Early(under_way.is_complete.subscribe()))
    }
}

/// The handshake that was under way as a request's stream began.
pub struct Early(watch::Receiver<bool>);

impl Early {
    /// Let the request of this head go on: at once, if its method is safe, and marked if the handshake is still under way;
    /// else when that is complete.
    ///
    /// # Errors
    /// It is not so in time: [`TooEarly`](Failure::TooEarly), unless its connection ends first.
    pub async fn admit(mut self, client: &Client, head: &mut Parts) -> Result<(), Failure> {
        if *self.0.borrow() {
            return Ok(());
        }
        let (quic, worker) = (&client.listener.metrics.quic, client.local.index());
        if head.method.is_safe() {
            quic.count(worker, QuicEvent::EarlyServed);
            // One that the client sent says the same (§5.1).
            head.headers.insert(EARLY_DATA, YES);
            return Ok(());
        }
        quic.count(worker, QuicEvent::EarlyHeld);
        let limit = client.settings.plan.timeouts.header_read.duration();
        match timeout(limit, self.0.wait_for(|is_complete| *is_complete)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Failure::ClientGone),
            Err(_) => Err(Failure::TooEarly),
        }
    }
}
