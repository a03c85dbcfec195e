//! A connection to an endpoint, which carries many requests at a time.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::request;
use quinn::{ConnectionError, RecvStream, SendStream};
use tidegate_core::failure::Failure;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::departure::Departure;
use crate::http::h3::code::Code;
use crate::http::h3::frame::Peer;
use crate::http::h3::head::{self, RequestForm};
use crate::http::h3::own_control;
use crate::http::h3::peer_streams::{ControlFrame, PeerStreams};
use crate::http::h3::sending::Sending;
use crate::http::h3::settings::Settings;
use crate::upstream::client::MAX_HEAD;
use crate::upstream::client::multiplexed::{Usage, Used};
use crate::upstream::connection_slot::ConnectionSlot;

/// What a request is sent on, and its response comes on.
type StreamHalves = (SendStream, RecvStream);

/// A connection that carries many requests. It is closed when it is dropped.
pub struct Connection {
    quic: quinn::Connection,
    /// The stream of the next request. The endpoint learns of it with that alone.
    next: RefCell<Option<StreamHalves>>,
    departure: Departure,
    /// A peer takes its end for a mistake (RFC 9114 §6.2.1).
    _control: Sending,
    /// What the endpoint says of itself, once that has come.
    settings: watch::Sender<Option<Settings>>,
    usage: Usage,
}

impl Connection {
    /// Begin to speak HTTP/3 on a connection, within `limit`.
    pub async fn begin(
        quic: quinn::Connection,
        slot: ConnectionSlot,
        limit: Duration,
    ) -> Result<Rc<Self>, Failure> {
        let control = timeout(limit, control_stream(&quic)).await;
        let control =
            control.map_err(|_| Failure::ConnectTimeout)?.map_err(|_| Failure::UpstreamReset)?;
        let connection = Rc::new(Self {
            quic: quic.clone(),
            next: RefCell::default(),
            departure: Departure::default(),
            _control: control,
            settings: watch::Sender::default(),
            usage: Usage::begin(),
        });
        spawn_local(listen(Rc::downgrade(&connection), quic, slot));
        Ok(connection)
    }

    /// Whether the endpoint takes another stream.
    pub fn has_room(&self) -> bool {
        let mut next = self.next.borrow_mut();
        if next.is_none() {
            *next = self.open_stream();
        }
        next.is_some() && !self.departure.is_announced()
    }

    /// Whether the endpoint takes extended CONNECT (RFC 9220 §3), which its settings say; they are waited for, for at most
    /// `limit`.
    pub async fn takes_extended_connect(&self, limit: Duration) -> bool {
        let mut settings = self.settings.subscribe();
        let come = timeout(limit, settings.wait_for(Option::is_some)).await;
        matches!(come, Ok(Ok(settings)) if settings.is_some_and(|settings| settings.extended_connect))
    }

    /// The stream of the next request; `None`: the endpoint takes no more.
    pub(super) fn next_stream(&self) -> Option<StreamHalves> {
        self.next.take().or_else(|| self.open_stream())
    }

    fn open_stream(&self) -> Option<StreamHalves> {
        // It is ready at once, where the endpoint allows one more.
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(self.quic.open_bi()).poll(&mut cx) {
            Poll::Ready(Ok(halves)) => Some(halves),
            Poll::Ready(Err(_)) => {
                self.usage.close();
                None
            }
            Poll::Pending => None,
        }
    }

    /// What is under it.
    pub(super) fn quic(&self) -> &quinn::Connection {
        &self.quic
    }

    /// What the endpoint said of its going away.
    pub(super) fn departure(&self) -> &Departure {
        &self.departure
    }

    /// Whether the endpoint takes a head as long as this one, as far as its settings are known (RFC 9114 §4.2.2).
    pub(super) fn takes(&self, head: &request::Parts, form: RequestForm) -> bool {
        let limit = self.settings.borrow().and_then(|settings| settings.field_section);
        limit.is_none_or(|limit| head::size_of_request(head, form) <= limit)
    }
}

impl Used for Connection {
    fn usage(&self) -> &Usage {
        &self.usage
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.quic.close(Code::NO_ERROR.into(), b"");
    }
}

async fn control_stream(quic: &quinn::Connection) -> Result<Sending, ConnectionError> {
    let settings = Settings { field_section: Some(u64::from(MAX_HEAD)), extended_connect: false };
    let mut control = own_control::open(quic, &settings).await?;
    // What is not written before the connection is lost needs no reader.
    let _ = poll_fn(|cx| control.poll_flush(cx)).await;
    Ok(control)
}

/// Read the endpoint's own streams until the connection is over.
async fn listen(connection: Weak<Connection>, quic: quinn::Connection, slot: ConnectionSlot) {
    let peers = Rc::new(PeerStreams::of(Peer::Server));
    let error = loop {
        let stream = match quic.accept_uni().await {
            Ok(stream) => stream,
            Err(error) => break error,
        };
        let (connection, quic, peers) = (connection.clone(), quic.clone(), peers.clone());
        spawn_local(async move {
            let told = |told: ControlFrame<'_>| match (told, connection.upgrade()) {
                (ControlFrame::Settings(settings), Some(connection)) => {
                    connection.settings.send_replace(Some(settings));
                    Ok(())
                }
                (ControlFrame::Goaway(first), Some(connection)) => {
                    connection.departure.announce(first)
                }
                _ => Ok(()),
            };
            peers.receive(quic, stream, told).await;
        });
    };
    tracing::debug!(%error, "HTTP/3 connection to an endpoint ended");
    if let Some(connection) = connection.upgrade() {
        connection.usage.close();
    }
    drop(slot);
}
