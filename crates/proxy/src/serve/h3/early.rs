//! Requests that come in early data, before their client has shown that it is there and sends them just now (RFC 8470).
//!
//! As a session is given out once, what is sent again is not served again by this process. An endpoint cannot know that, and is told.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderValue;
use http::header::HeaderName;
use http::request::Parts;
use quinn::{Connection, ZeroRttAccepted};
use tidegate_core::failure::Failure;
use tokio::sync::watch;
use tokio::time::timeout;

use super::handshake::Handshake;
use crate::account::metrics::QuicEvent;
use crate::client::Client;
use crate::net::deadline::Deadline;

const EARLY_DATA: HeaderName = HeaderName::from_static("early-data");
const YES: HeaderValue = HeaderValue::from_static("1");

/// A handshake during which requests are taken already.
pub struct Shaking {
    handshake: Handshake,
    /// Ready with its end, whatever that is.
    ended: ZeroRttAccepted,
    deadline: Deadline,
    is_complete: watch::Sender<bool>,
}

impl Shaking {
    /// It may last so long.
    pub fn new(handshake: Handshake, ended: ZeroRttAccepted, limit: Duration) -> Self {
        let mut deadline = Deadline::default();
        deadline.ensure(limit);
        Self { handshake, ended, deadline, is_complete: watch::Sender::default() }
    }

    /// Ready when it ended: whether the `connection` came about.
    pub fn poll(&mut self, connection: &Connection, cx: &mut Context<'_>) -> Poll<bool> {
        match Pin::new(&mut self.ended).poll(cx) {
            Poll::Ready(_) => Poll::Ready(connection.close_reason().is_none()),
            Poll::Pending => self.deadline.poll_expired(cx).map(|()| false),
        }
    }

    /// What requests that come meanwhile know of it.
    pub fn early(&self) -> Early {
        Early(self.is_complete.subscribe())
    }

    /// The connection came about.
    pub fn complete(self) {
        self.handshake.complete();
        self.is_complete.send_replace(true);
    }
}

/// The handshake that was under way as a request's stream began.
pub struct Early(watch::Receiver<bool>);

impl Early {
    /// Let the request of this head go on: at once, if its method is safe, and marked if the handshake is still under way;
    /// else when that is complete.
    ///
    /// # Errors
    /// It is not so in time.
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
