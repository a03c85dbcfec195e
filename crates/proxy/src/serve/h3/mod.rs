//! A client's connection over HTTP/3: each stream is a task that serves one request.

mod early;
mod exchange;
mod going_away;
mod handshake;
mod open;
mod priorities;
mod response;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use quinn::{Connecting, Connection, ConnectionError, RecvStream, SendStream};
use tokio::task::spawn_local;
use tokio::time::timeout;

use self::early::Shaking;
use self::going_away::GoingAway;
pub use self::handshake::Handshake;
use self::open::Open;
use self::priorities::Priorities;
use crate::client::{Admitted, Client};
use crate::http::h3::code::Code;
use crate::http::h3::frame::{self, Peer};
use crate::http::h3::own_control;
use crate::http::h3::peer_streams::{ControlFrame, PeerStreams};
use crate::http::h3::sending::Sending;
use crate::http::h3::settings::Settings as OurSettings;
use crate::http::h3::varint;
use crate::net::deadline::Deadline;
use crate::snapshot::Settings;
use crate::tls::Negotiated;

/// Serve an accepted connection until it ends.
pub async fn serve(
    admitted: Admitted,
    settings: Arc<Settings>,
    connecting: Connecting,
    handshake: Handshake,
) {
    let limit = settings.plan.timeouts.handshake.duration();
    let (connection, shaking) = match timeout(limit, begin(connecting, handshake, &settings)).await
    {
        Ok(Ok(begun)) => begun,
        failed => {
            if let Ok(Err(error)) = failed {
                tracing::debug!(%error, "a client's handshake failed");
            }
            return;
        }
    };
    let negotiated = Negotiated::over_quic(&connection);
    let client = Client::new(admitted, settings, Some(negotiated));
    match timeout(limit, control_stream(&client, &connection)).await {
        Ok(Ok(control)) => Streams::new(client, connection, control, shaking).run().await,
        _ => connection.close(Code::STREAM_CREATION_ERROR.into(), b"no control stream is allowed"),
    }
}

/// The connection once requests may come on it: when its handshake is complete or, where early data is taken, still under way.
async fn begin(
    mut connecting: Connecting,
    handshake: Handshake,
    settings: &Settings,
) -> Result<(Connection, Option<Shaking>), ConnectionError> {
    if settings.plan.http3.early_data {
        connecting.handshake_data().await?;
        match connecting.into_0rtt() {
            Ok((connection, ended)) => {
                let limit = settings.plan.timeouts.handshake.duration();
                return Ok((connection, Some(Shaking::new(handshake, ended, limit))));
            }
            Err(without) => connecting = without,
        }
    }
    let connection = connecting.await?;
    handshake.complete();
    Ok((connection, None))
}

/// Our control stream, with what the listener says of itself.
async fn control_stream(
    client: &Client,
    connection: &Connection,
) -> Result<Sending, ConnectionError> {
    let settings = OurSettings {
        field_section: Some(client.settings.head_limits.bytes as u64),
        extended_connect: true,
    };
    own_control::open(connection, &settings).await
}

/// The streams of a connection.
struct Streams {
    client: Rc<Client>,
    connection: Connection,
    /// Its handshake, while that is under way.
    shaking: Option<Shaking>,
    control: Sending,
    peers: Rc<PeerStreams>,
    priorities: Rc<Priorities>,
    open: Rc<Open>,
    /// When a connection without requests is closed.
    deadline: Deadline,
    going_away: GoingAway,
}

/// What a connection goes on with.
enum Event {
    Request(SendStream, RecvStream),
    Unidirectional(RecvStream),
    End,
}

impl Streams {
    fn new(
        client: Rc<Client>,
        connection: Connection,
        control: Sending,
        shaking: Option<Shaking>,
    ) -> Self {
        Self {
            open: Open::new(client.clone()),
            client,
            connection,
            shaking,
            control,
            peers: Rc::new(PeerStreams::of(Peer::Client)),
            priorities: Rc::default(),
            deadline: Deadline::default(),
            going_away: GoingAway::default(),
        }
    }

    async fn run(mut self) {
        let connection = self.connection.clone();
        let mut requests = pin!(connection.accept_bi());
        let mut others = pin!(connection.accept_uni());
        loop {
            let event = poll_fn(|cx| {
                // Before streams, so that none is taken for early that is not.
                if self.poll_shaking(cx).is_ready() {
                    return Poll::Ready(Event::End);
                }
                if let Poll::Ready(accepted) = requests.as_mut().poll(cx) {
                    let request = accepted.map(|(send, recv)| Event::Request(send, recv));
                    return Poll::Ready(request.unwrap_or(Event::End));
                }
                if let Poll::Ready(accepted) = others.as_mut().poll(cx) {
                    return Poll::Ready(accepted.map_or(Event::End, Event::Unidirectional));
                }
                self.poll_end(cx).map(|()| Event::End)
            });
            match event.await {
                Event::Request(send, recv) => {
                    requests.set(connection.accept_bi());
                    self.begin(send, recv);
                }
                Event::Unidirectional(stream) => {
                    others.set(connection.accept_uni());
                    let (peers, connection) = (self.peers.clone(), connection.clone());
                    let priorities = self.priorities.clone();
                    spawn_local(async move {
                        let told = |told: ControlFrame<'_>| match told {
                            ControlFrame::PriorityUpdate(payload) => priorities.update(payload),
                            ControlFrame::Settings(_) | ControlFrame::Goaway(_) => Ok(()),
                        };
                        peers.receive(connection, stream, told).await;
                    });
                }
                Event::End => break,
            }
        }
    }

    /// Serve the request of a stream, unless that comes after the last.
    fn begin(&mut self, mut send: SendStream, mut recv: RecvStream) {
        self.deadline.clear();
        if !self.going_away.takes(send.id().index()) {
            let _ = send.reset(Code::REQUEST_REJECTED.into());
            let _ = recv.stop(Code::REQUEST_REJECTED.into());
            return;
        }
        let (client, connection) = (self.client.clone(), self.connection.clone());
        let priorities = self.priorities.clone();
        let early = self.shaking.as_ref().map(Shaking::early);
        let place = self.open.enter();
        spawn_local(async move {
            exchange::serve(client, connection, &priorities, early, (send, recv)).await;
            drop(place);
        });
    }

    /// Ready if its handshake has failed.
    fn poll_shaking(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(shaking) = &mut self.shaking else { return Poll::Pending };
        if !ready!(shaking.poll(&self.connection, cx)) {
            return Poll::Ready(());
        }
        if let Some(shaking) = self.shaking.take() {
            shaking.complete();
        }
        Poll::Pending
    }

    /// Ready once the connection is to be closed.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.client.poll_draining(cx) {
            let rtt = self.connection.rtt();
            if let Some(first_refused) = self.going_away.poll(cx, rtt) {
                self.control.push(goaway(first_refused));
            }
        }
        if let Poll::Ready(Err(_)) = self.control.poll_flush(cx) {
            return Poll::Ready(());
        }
        if !self.open.poll_none(cx) {
            self.deadline.clear();
            return Poll::Pending;
        }
        if self.going_away.is_final() {
            return Poll::Ready(());
        }
        self.deadline.ensure(self.client.settings.plan.timeouts.idle.duration());
        ready!(self.deadline.poll_expired(cx));
        Poll::Ready(())
    }
}

impl Drop for Streams {
    /// Also where it is cut short: what requests are under way then end with the connection.
    fn drop(&mut self) {
        // Without effect on one that is over.
        self.connection.close(Code::NO_ERROR.into(), b"");
        let Client { listener, local, .. } = &*self.client;
        listener.metrics.quic.ended(local.index(), &self.connection.stats());
    }
}

/// Tells a client that requests from this stream on are not carried out.
fn goaway(stream: u64) -> Bytes {
    let (mut payload, mut bytes) = (Vec::new(), BytesMut::new());
    varint::write(stream, &mut payload);
    frame::begin(frame::GOAWAY, payload.len(), &mut bytes);
    bytes.extend_from_slice(&payload);
    bytes.freeze()
}
