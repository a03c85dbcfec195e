//! Opening a connection to an endpoint.

use std::io;
use std::sync::Arc;

use tidegate_core::failure::{Blame, Failure};
use tidegate_core::plan::{HttpVersion, UpstreamProtocol};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};

use super::connection_slot::ConnectionSlot;
use super::{Member, Upstream};
use crate::net::Address;
use crate::net::clock;
use crate::net::io::{Io, Socket};
use crate::tls::{HandshakeError, stream};

/// A connection that was just opened.
pub struct Opened {
    /// The stream.
    pub io: Io,
    /// The version of HTTP to speak on it.
    pub version: HttpVersion,
    /// Its place among the endpoint's connections.
    pub slot: ConnectionSlot,
}

/// Connect to `address` of `member` for a health check: without a place among its connections being
/// refused, and without its passive health learning of it.
pub async fn open_uncounted(
    upstream: &Upstream,
    member: &Arc<Member>,
    address: &Address,
) -> Result<Opened, Failure> {
    let slot = ConnectionSlot::force(upstream, member)?;
    let (io, version) = Box::pin(connect(upstream, member, address, false)).await?;
    Ok(Opened { io, version, slot })
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
    member.metrics.connecting(worker);
    let opened = Box::pin(connect(upstream, member, &member.address, only_http1)).await;
    let health = &member.endpoint.health;
    let transition = match &opened {
        Ok(_) => health.connected(clock::now()),
        Err(failure) => {
            member.metrics.connect_failed(worker);
            if failure.meaning().blame == Blame::Upstream {
                member.endpoint.load.unreachable(clock::now());
                health.connect_failed(clock::now())
            } else {
                None
            }
        }
    };
    member.health_changed(transition);
    let (io, version) = opened?;
    Ok(Opened { io, version, slot })
}

async fn connect(
    upstream: &Upstream,
    member: &Member,
    address: &Address,
    only_http1: bool,
) -> Result<(Io, HttpVersion), Failure> {
    let limit = upstream.plan.timeouts.connect.duration();
    let began = Instant::now();
    let socket = match timeout(limit, dial(address)).await {
        Ok(dialled) => dialled?,
        Err(_) => return Err(Failure::ConnectTimeout),
    };
    let Some(tls) = &upstream.tls else {
        let version = match upstream.plan.protocol {
            UpstreamProtocol::Http2 => HttpVersion::Http2,
            UpstreamProtocol::Http1 | UpstreamProtocol::Auto => HttpVersion::Http1,
        };
        return Ok((Io::Plain(socket), version));
    };
    let name = tls.server_name_for(&address.host()).map_err(|_| Failure::UpstreamTls)?;
    let left = limit.saturating_sub(began.elapsed());
    let only_http1 = only_http1 && upstream.plan.protocol == UpstreamProtocol::Auto;
    let connected = stream::connect(tls.config(only_http1), name, socket, left).await;
    let (io, session) = connected.map_err(|error| {
        tracing::debug!(upstream = upstream.plan.name, endpoint = member.endpoint.address, %error, "TLS handshake failed");
        match error {
            // Connected it is; it is TLS that does not come about.
            HandshakeError::TimedOut(_) | HandshakeError::Failed(_) => Failure::UpstreamTls,
        }
    })?;
    let version = match (upstream.plan.protocol, session.alpn) {
        (UpstreamProtocol::Http2, _) | (UpstreamProtocol::Auto, Some(HttpVersion::Http2)) => {
            HttpVersion::Http2
        }
        _ => HttpVersion::Http1,
    };
    Ok((Io::Tls(io), version))
}

/// Connect to `address`, however long that takes.
pub async fn dial(address: &Address) -> Result<Socket, Failure> {
    match address {
        Address::Ip(address) => tcp(TcpStream::connect(address).await),
        Address::Name(host, port) => {
            let found = tokio::net::lookup_host((host.as_str(), *port)).await;
            let found: Vec<_> = found.map_err(|_| Failure::DnsError)?.collect();
            match found.as_slice() {
                [] => Err(Failure::DnsError),
                found => tcp(TcpStream::connect(found).await),
            }
        }
        Address::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Socket::Right(stream)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::ConnectRefused),
            Err(error) => Err(connect_failure(&error)),
        },
    }
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
