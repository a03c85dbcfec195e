//! A client's connection over HTTP/3: each stream is a task that serves one request.

mod early;
mod established;
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
use quinn::{Connecting, Connection, ConnectionError, RecvStream, SendStream, ZeroRttAccepted};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};

use self::early::Shaking;
use self::established::Established;
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
    let until = Instant::now() + settings.plan.timeouts.handshake.duration();
    let begun = timeout_at(until, begin(connecting, settings.plan.http3.early_data)).await;
    let (connection, ended) = match begun {
        Ok(Ok(begun)) => begun,
        failed => {
            if let Ok(Err(error)) = failed {
                tracing::debug!(%error, "a client's handshake failed");
            }
            return;
        }
    };
    let connection = Established::new(connection, &admitted);
    let negotiated = Negotiated::over_quic(&connection);
    let client = Client::new(admitted, settings, Some(negotiated));
    let mut shaking = match ended {
        Some(ended) => Shaking::under_way(handshake, ended, until),
        None => {
            handshake.complete(&client);
            Shaking::default()
        }
    };
    let opened = timeout_at(until, control_stream(&client, &connection, &mut shaking)).await;
    match opened.ok().flatten() {
        Some(control) => Streams::new(client, connection, control, shaking).run().await,
        None => {
            connection.close(Code::STREAM_CREATION_ERROR.into(), b"no control stream is allowed")
        }
    }
}

/// The connection once streams may be opened on it, and the end of its handshake, where that is still under way: with
/// `early_data` each connection goes that way, whether its client sends any or not.
async fn begin(
    mut connecting: Connecting,
    early_data: bool,
) -> Result<(Connection, Option<ZeroRttAccepted>), ConnectionError> {
    if !early_data {
        return Ok((connecting.await?, None));
    }
    connecting.handshake_data().await?;
    // A server always may; only a client may not.
    let (connection, ended) = connecting.into_0rtt().map_err(|_| ConnectionError::LocallyClosed)?;
    Ok((connection, Some(ended)))
}

/// Our control stream, with what the listener says of itself; none, if the connection does not come about.
async fn control_stream(
    client: &Client,
    connection: &Connection,
    shaking: &mut Shaking,
) -> Option<Sending> {
    let settings = OurSettings {
        field_section: Some(client.settings.head_limits.bytes as u64),
        extended_connect: true,
    };
    let mut opening = pin!(own_control::open(connection, &settings));
    poll_fn(|cx| {
        if shaking.poll_failed(client, connection, cx).is_ready() {
            return Poll::Ready(None);
        }
        opening.as_mut().poll(cx).map(Result::ok)
    })
    .await
}

/// The streams of a connection.
struct Streams {
    /// Before what writes on it, so that it is closed first.
    connection: Established,
    client: Rc<Client>,
    shaking: Shaking,
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
        connection: Established,
        control: Sending,
        shaking: Shaking,
    ) -> Self {
        Self {
            open: Open::new(client.clone()),
            connection,
            client,
            shaking,
            control,
            peers: Rc::new(PeerStreams::of(Peer::Client)),
            priorities: Rc::default(),
            deadline: Deadline::default(),
            going_away: GoingAway::default(),
        }
    }

    async fn run(mut self) {
        let connection = Connection::clone(&self.connection);
        let mut requests = pin!(connection.accept_bi());
        let mut others = pin!(connection.accept_uni());
        loop {
            let event = poll_fn(|cx| {
                // Before streams, so that none is taken for early that is not.
                if self.shaking.poll_failed(&self.client, &connection, cx).is_ready() {
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
        let (client, connection) = (self.client.clone(), Connection::clone(&self.connection));
        let priorities = self.priorities.clone();
        let early = self.shaking.early();
        let place = self.open.enter();
        spawn_local(async move {
            exchange::serve(client, connection, &priorities, early, (send, recv)).await;
            drop(place);
        });
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

/// Tells a client that requests from this stream on are not carried out.
fn goaway(stream: u64) -> Bytes {
    let mut bytes = BytesMut::new();
    frame::write(frame::GOAWAY, &mut bytes, |payload| varint::write(stream, payload));
    bytes.freeze()
}
