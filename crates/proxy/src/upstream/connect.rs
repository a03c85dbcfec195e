//! Opening a connection to an endpoint.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use tidegate_core::failure::{Blame, Failure};
use tidegate_core::plan::{HttpVersion, UpstreamProtocol};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::connection_slot::ConnectionSlot;
use super::{Member, Upstream};
use crate::net::Address;
use crate::net::clock;
use crate::net::io::{Io, Socket};
use crate::quic::NotConnected;
use crate::tls::stream;

/// A connection that was just opened.
pub struct Opened {
    /// What is spoken on it.
    pub channel: Channel,
    /// Its place among the endpoint's connections.
    pub slot: ConnectionSlot,
}

/// A transport, and the version of HTTP to speak on it.
pub enum Channel {
    /// HTTP/1.
    Http1(Io),
    /// HTTP/2.
    Http2(Io),
    /// HTTP/3.
    Http3(quinn::Connection),
}

/// Connect to `address` of `member` for a health check: without a place among its connections being
/// refused, and without its passive health learning of it.
pub async fn open_uncounted(
    upstream: &Upstream,
    member: &Arc<Member>,
    address: &Address,
) -> Result<Opened, Failure> {
    let slot = ConnectionSlot::force(upstream, member)?;
    let channel = Box::pin(connect(upstream, member, address, false)).await?;
    Ok(Opened { channel, slot })
}

/// Connect to `member` within the upstream's connect timeout, TLS included; with `only_http1` that version
/// is the only one that TLS agrees on. The endpoint's health and load learn how it went.
pub async fn open(
    upstream: &Upstream,
    member: &Arc<Member>,
    worker: usize,
    only_http1: bool,
) -> Result<Opened, Failure> {
    let slot = ConnectionSlot::take(upstream, member)?;
    let connecting = Box::pin(connect(upstream, member, &member.address, only_http1));
    let opened = counted(member, worker, connecting).await;
    let health = &member.endpoint.health;
    let transition = match &opened {
        Ok(_) => health.connected(clock::now()),
        Err(failure) if failure.meaning().blame == Blame::Upstream => {
            member.endpoint.load.unreachable(clock::now());
            health.connect_failed(clock::now())
        }
        Err(_) => None,
    };
    member.health_changed(transition);
    Ok(Opened { channel: opened?, slot })
}

/// Count a connection to `member` that is opened.
async fn counted(
    member: &Member,
    worker: usize,
    connecting: impl Future<Output = Result<Channel, Failure>>,
) -> Result<Channel, Failure> {
    member.metrics.connecting(worker);
    connecting.await.inspect_err(|_| member.metrics.connect_failed(worker))
}

async fn connect(
    upstream: &Upstream,
    member: &Member,
    address: &Address,
    only_http1: bool,
) -> Result<Channel, Failure> {
    let deadline = Instant::now() + upstream.plan.timeouts.connect.duration();
    match upstream.plan.protocol {
        UpstreamProtocol::Http3 => over_quic(upstream, member, address, deadline).await,
        _ => over_tcp(upstream, member, address, only_http1, deadline).await,
    }
}

/// Connect over QUIC to the `port` of `member` that it announced. Its health does not learn of it: TCP says how it is.
pub async fn open_announced(
    upstream: &Upstream,
    member: &Member,
    worker: usize,
    port: NonZeroU16,
    slot: ConnectionSlot,
) -> Result<Opened, Failure> {
    let address = member.address.with_port(port.get()).ok_or(Failure::ConnectFailed)?;
    let deadline = Instant::now() + upstream.plan.timeouts.connect.duration();
    let connecting = Box::pin(over_quic(upstream, member, &address, deadline));
    let channel = counted(member, worker, connecting).await?;
    Ok(Opened { channel, slot })
}

async fn over_quic(
    upstream: &Upstream,
    member: &Member,
    address: &Address,
    deadline: Instant,
) -> Result<Channel, Failure> {
    // A plan without them is refused.
    let (Some(tls), Some(quic)) = (&upstream.tls, &upstream.quic) else {
        return Err(Failure::UpstreamTls);
    };
    let name = tls.server_name_for(&address.host()).map_err(|_| Failure::UpstreamTls)?;
    let found = timeout_at(deadline, resolve(address)).await;
    let found = found.map_err(|_| Failure::ConnectTimeout)??;
    let connected = quic.connect(&name, &found, deadline).await;
    connected.map(Channel::Http3).map_err(|NotConnected { failure, cause }| {
        if let Some(cause) = cause {
            tell_why(member, failure, &cause);
        }
        failure
    })
}

/// Log why there is no connection to `member`, where the failure alone does not tell. An endpoint that is down is tried again
/// and again: of that it was said why.
fn tell_why(member: &Member, failure: Failure, cause: &dyn Display) {
    let (upstream, endpoint) = (&*member.upstream, &member.endpoint.address);
    if failure == Failure::UpstreamTls && !member.endpoint.health.is_down() {
        tracing::warn!(upstream, endpoint, %cause, "TLS with the endpoint does not come about");
    } else {
        tracing::debug!(upstream, endpoint, %cause, "no connection to the endpoint");
    }
}

async fn over_tcp(
    upstream: &Upstream,
    member: &Member,
    address: &Address,
    only_http1: bool,
    deadline: Instant,
) -> Result<Channel, Failure> {
    let dialled = timeout_at(deadline, dial(address)).await;
    let socket = dialled.map_err(|_| Failure::ConnectTimeout)??;
    let protocol = upstream.plan.protocol;
    let Some(tls) = &upstream.tls else {
        return Ok(channel(protocol == UpstreamProtocol::Http2, Io::Plain(socket)));
    };
    let name = tls.server_name_for(&address.host()).map_err(|_| Failure::UpstreamTls)?;
    let left = deadline.saturating_duration_since(Instant::now());
    let only_http1 = only_http1 && protocol == UpstreamProtocol::Auto;
    let connected = stream::connect(tls.config(only_http1), name, socket, left).await;
    // Connected it is; it is TLS that does not come about.
    let (io, session) = connected.map_err(|error| {
        tell_why(member, Failure::UpstreamTls, &error);
        Failure::UpstreamTls
    })?;
    let speaks_http2 = match protocol {
        UpstreamProtocol::Http2 => true,
        UpstreamProtocol::Auto => session.alpn == Some(HttpVersion::Http2),
        UpstreamProtocol::Http1 | UpstreamProtocol::Http3 => false,
    };
    Ok(channel(speaks_http2, Io::Tls(io)))
}

fn channel(speaks_http2: bool, io: Io) -> Channel {
    if speaks_http2 { Channel::Http2(io) } else { Channel::Http1(io) }
}

/// Connect to `address`, however long that takes.
pub async fn dial(address: &Address) -> Result<Socket, Failure> {
    match address {
        Address::Ip(address) => tcp(TcpStream::connect(address).await),
        Address::Name(..) => tcp(TcpStream::connect(&*resolve(address).await?).await),
        Address::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Socket::Right(stream)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::ConnectRefused),
            Err(error) => Err(connect_failure(&error)),
        },
    }
}

/// The sockets' addresses of `address`, one at least; a Unix socket has none.
async fn resolve(address: &Address) -> Result<Vec<SocketAddr>, Failure> {
    let found = match address {
        Address::Ip(address) => vec![*address],
        Address::Name(host, port) => {
            let found = tokio::net::lookup_host((host.as_str(), *port)).await;
            found.map_err(|_| Failure::DnsError)?.collect()
        }
        Address::Unix(_) => Vec::new(),
    };
    if found.is_empty() { Err(Failure::DnsError) } else { Ok(found) }
}

fn tcp(connected: io::Result<TcpStream>) -> Result<Socket, Failure> {
    let stream = connected.map_err(|error| connect_failure(&error))?;
    // Small writes must not wait for the peer's acknowledgements; a socket without the option still works.
    let _ = stream.set_nodelay(true);
    Ok(Socket::Left(stream))
}

fn connect_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::ConnectRefused,
        io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        _ if is_ours(error) => Failure::ConnectionLimit,
        _ => Failure::ConnectFailed,
    }
}

/// Whether it was this process that ran out, of descriptors or of ports: nothing that the endpoint did.
fn is_ours(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    error.kind() == io::ErrorKind::AddrNotAvailable
        || matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}
