//! A connection to an endpoint, which carries many requests at a time.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use tidegate_core::failure::Failure;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::http::h2::{CONNECTION_WINDOW, SEND_BUFFER, STREAM_WINDOW};
use crate::net::io::Io;
use crate::upstream::client::MAX_HEAD;
use crate::upstream::client::multiplexed::{Usage, Used};
use crate::upstream::connection_slot::ConnectionSlot;

/// A connection that carries many requests.
pub struct Connection {
    sender: RefCell<SendRequest<Bytes>>,
    secure: bool,
    usage: Usage,
    /// With what it is found out whether the endpoint's settings have come; absent: they have.
    asking: Mutex<Option<PingPong>>,
}

impl Connection {
    /// Begin to speak HTTP/2 on a connection, within `limit`; a task of its own drives it until it closes.
    pub async fn begin(io: Io, slot: ConnectionSlot, limit: Duration) -> Result<Rc<Self>, Failure> {
        let secure = matches!(io, Io::Tls(_));
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .max_send_buffer_size(SEND_BUFFER)
            .enable_push(false);
        let (sender, mut driver) = timeout(limit, builder.handshake(io))
            .await
            .map_err(|_| Failure::ConnectTimeout)?
            .map_err(|_| Failure::UpstreamProtocol)?;
        let (sender, usage) = (RefCell::new(sender), Usage::begin());
        let asking = Mutex::new(driver.ping_pong());
        let connection = Rc::new(Self { sender, secure, usage, asking });
        let watched = Rc::downgrade(&connection);
        tokio::task::spawn_local(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "HTTP/2 connection to an endpoint ended");
            }
            if let Some(connection) = watched.upgrade() {
                connection.usage.close();
            }
            drop(slot);
        });
        Ok(connection)
    }

    /// Whether the endpoint takes another stream.
    pub fn has_room(&self) -> bool {
        self.usage.streams() < self.sender.borrow().current_max_send_streams() && !self.goes_away()
    }

    /// Whether the endpoint said that it takes no more streams (RFC 9113 §6.8); those it has may still be answered.
    fn goes_away(&self) -> bool {
        // No stream of this handle waits for room: it is ready at once, or never again.
        let mut cx = Context::from_waker(Waker::noop());
        matches!(self.sender.borrow_mut().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// Whether the endpoint takes extended CONNECT (RFC 8441 §3), which its settings say; they are waited for, for at most
    /// `limit`.
    pub async fn takes_extended_connect(&self, limit: Duration) -> bool {
        let enabled = || self.sender.borrow().is_extended_connect_protocol_enabled();
        if !enabled() {
            let mut asking = self.asking.lock().await;
            if let Some(pings) = &mut *asking {
                // Its settings are the first that it sends (RFC 9113 §3.4), before it answers a ping.
                // One may be on its way already, of a request that did not wait for its answer.
                let _ = pings.send_ping(Ping::opaque());
                let answered = timeout(limit, poll_fn(|cx| pings.poll_pong(cx))).await;
                if !matches!(answered, Ok(Ok(_))) {
                    return false;
                }
                *asking = None;
            }
        }
        enabled()
    }

    /// What requests are sent with.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.borrow().clone()
    }

    /// Whether TLS is under it.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }
}

impl Used for Connection {
    fn usage(&self) -> &Usage {
        &self.usage
    }
}
