//! A connection to an endpoint, which carries many requests at a time.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use tidegate_core::failure::Failure;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::http::h2::{CONNECTION_WINDOW, SEND_BUFFER, STREAM_WINDOW};
use crate::net::io::Io;
use crate::upstream::connect::Opened;

/// Largest head that an endpoint may send.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// A connection that carries many requests.
pub struct Connection {
    sender: RefCell<SendRequest<Bytes>>,
    secure: bool,
    opened: Instant,
    streams: Cell<usize>,
    last_used: Cell<Instant>,
    /// When the head of a response, an interim one too, last came.
    heard: Cell<Instant>,
    closed: Cell<bool>,
    /// With what it is found out whether the endpoint's settings have come; absent: they have.
    asking: Mutex<Option<PingPong>>,
}

impl Connection {
    /// Begin to speak HTTP/2 on a connection; a task of its own drives it until it closes.
    pub async fn begin(opened: Opened, limit: Duration) -> Result<Rc<Self>, Failure> {
        let secure = matches!(opened.io, Io::Tls(_));
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER_LIST)
            .max_send_buffer_size(SEND_BUFFER)
            .enable_push(false);
        let (sender, mut driver) = timeout(limit, builder.handshake(opened.io))
            .await
            .map_err(|_| Failure::ConnectTimeout)?
            .map_err(|_| Failure::UpstreamProtocol)?;
        let now = Instant::now();
        let connection = Rc::new(Self {
            sender: RefCell::new(sender),
            secure,
            opened: now,
            streams: Cell::new(0),
            last_used: Cell::new(now),
            heard: Cell::new(now),
            closed: Cell::new(false),
            asking: Mutex::new(driver.ping_pong()),
        });
        let watched = Rc::downgrade(&connection);
        let slot = opened.slot;
        tokio::task::spawn_local(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "HTTP/2 connection to an endpoint ended");
            }
            if let Some(connection) = watched.upgrade() {
                connection.closed.set(true);
            }
            drop(slot);
        });
        Ok(connection)
    }

    /// Whether another request may be sent on it.
    pub fn takes_streams(&self, now: Instant, max_age: Duration) -> bool {
        !self.closed.get()
            && self.age(now) < max_age
            && self.streams.get() < self.sender.borrow().current_max_send_streams()
            && !self.goes_away()
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

    /// Time since it was opened.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.opened)
    }

    /// Time since its last request ended; absent while there is one.
    pub fn idle_for(&self, now: Instant) -> Option<Duration> {
        let idle = self.streams.get() == 0;
        idle.then(|| now.saturating_duration_since(self.last_used.get()))
    }

    /// Whether it has ended, or is not to be used again.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Use it for nothing more.
    pub(super) fn close(&self) {
        self.closed.set(true);
    }

    /// What requests are sent with.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.borrow().clone()
    }

    /// Whether TLS is under it.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// The head of a response, or of an interim one, came.
    pub(super) fn heard_at(&self, at: Instant) {
        self.heard.set(at);
    }

    /// A request sent at `began` got no response in time. If no other did since, the connection itself may be
    /// dead, which TCP can take a quarter of an hour to notice: nothing more is sent on it.
    pub(super) fn timed_out(&self, began: Instant) {
        if self.heard.get() <= began {
            self.close();
        }
    }
}

/// One of a connection's streams, counted until dropped.
pub(super) struct Stream(Rc<Connection>);

impl Stream {
    /// One more stream of `connection`.
    pub(super) fn new(connection: Rc<Connection>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self(connection)
    }

    /// The connection that it is a part of.
    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.last_used.set(Instant::now());
    }
}
