//! Connections to endpoints over QUIC, all of a thread from one socket.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    ClientConfig, ConnectError, Connecting, Connection, ConnectionError, Endpoint, EndpointConfig,
    IdleTimeout, TokioRuntime, TransportConfig, TransportErrorCode, VarInt,
};
use rustls_pki_types::ServerName;
use socket2::{Domain, Protocol, Socket, Type};
use tidegate_core::failure::Failure;
use tidegate_core::plan::{Issue, UpstreamTimeouts};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::windows;
use crate::net::RECEIVE_BUFFER;
use crate::tls::ClientTls;

/// An endpoint that is silent for longer is gone, unless its upstream allows less. A live one is not silent: it is asked
/// this many times meanwhile.
const SILENCE: Duration = Duration::from_secs(10);
const ASKED: u32 = 3;
/// How long an address is tried before the next is tried beside it.
const TO_ITSELF: Duration = Duration::from_millis(250);
/// How long a thread that ends waits for endpoints to have heard of it.
const GOODBYE: Duration = Duration::from_millis(100);

/// Why no connection came about.
#[derive(Debug)]
pub struct NotConnected {
    /// The failure of the request that wanted it.
    pub failure: Failure,
    /// What QUIC says of it, where it says something.
    pub cause: Option<ConnectionError>,
}

impl From<Failure> for NotConnected {
    fn from(failure: Failure) -> Self {
        Self { failure, cause: None }
    }
}

/// What an upstream's connections over QUIC are held to; shared by all workers.
#[derive(Debug)]
pub struct ClientQuic(ClientConfig);

impl ClientQuic {
    /// Build the QUIC side of an upstream with this `tls`, whose place in the plan is `path`.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn build(tls: &ClientTls, timeouts: &UpstreamTimeouts, path: &str) -> Result<Self, Issue> {
        let crypto = QuicClientConfig::try_from(tls.quic_config()).map_err(|error| {
            Issue::new(path, format!("no cipher suite of TLS 1.3 serves QUIC: {error}"))
        })?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(transport(timeouts)));
        Ok(Self(config))
    }

    /// Connect to one of `addresses` as `name`, until `deadline`: to the one that is ready first, of which each has a short
    /// time to itself before the next is tried, too (RFC 8305 §5). One that is not there most often just says nothing.
    ///
    /// # Errors
    /// Why none came about.
    pub async fn connect(
        &self,
        name: &ServerName<'_>,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<Connection, NotConnected> {
        let (mut tries, mut last) = (JoinSet::new(), Failure::ConnectTimeout.into());
        let mut addresses = addresses.iter();
        loop {
            let next = addresses.next();
            if let Some(address) = next {
                match begin(&self.0, *address, &name.to_str()) {
                    Ok(begun) => _ = tries.spawn_local(begun),
                    Err(failure) => {
                        last = failure.into();
                        continue;
                    }
                }
            }
            let look = next.map_or(deadline, |_| deadline.min(Instant::now() + TO_ITSELF));
            match timeout_at(look, tries.join_next()).await {
                Ok(Some(Ok(Ok(connection)))) => return Ok(connection),
                Ok(Some(Ok(Err(error)))) => {
                    last = NotConnected { failure: failure_of(&error), cause: Some(error) };
                }
                Ok(Some(Err(_))) => last = Failure::Internal.into(),
                Ok(None) => return Err(last),
                Err(_) if Instant::now() >= deadline => return Err(Failure::ConnectTimeout.into()),
                Err(_) => {}
            }
        }
    }
}

fn transport(timeouts: &UpstreamTimeouts) -> TransportConfig {
    let silence = SILENCE.min(timeouts.idle.duration());
    let mut transport = TransportConfig::default();
    transport
        // An endpoint opens no stream to ask for something.
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(windows::UNIDIRECTIONAL.into())
        .max_idle_timeout(IdleTimeout::try_from(silence).ok())
        .keep_alive_interval(Some(silence / ASKED))
        .stream_receive_window(VarInt::from_u32(windows::STREAM))
        .receive_window(VarInt::from_u32(windows::CONNECTION))
        .send_window(windows::SEND)
        .datagram_receive_buffer_size(None);
    transport
}

thread_local! {
    /// This thread's socket. Its task runs on the thread's runtime, and ends with that.
    static ENDPOINT: RefCell<Option<Endpoint>> = const { RefCell::new(None) };
}

/// Close all connections to endpoints of this thread, and leave them a moment to hear of it.
pub async fn close_all(code: VarInt) {
    if let Some(endpoint) = ENDPOINT.take() {
        endpoint.close(code, b"");
        let _ = timeout(GOODBYE, endpoint.wait_idle()).await;
    }
}

/// Begin a handshake from the thread's socket.
fn begin(config: &ClientConfig, address: SocketAddr, name: &str) -> Result<Connecting, Failure> {
    ENDPOINT.with_borrow_mut(|kept| {
        let begin = |endpoint: &Endpoint| endpoint.connect_with(config.clone(), address, name);
        let begun = match kept.as_ref().map(begin) {
            // There is none yet, or it failed, or its runtime has ended.
            None | Some(Err(ConnectError::EndpointStopping)) => begin(kept.insert(endpoint()?)),
            Some(begun) => begun,
        };
        begun.map_err(|error| match error {
            ConnectError::InvalidServerName(_) => Failure::UpstreamTls,
            _ => Failure::ConnectFailed,
        })
    })
}

/// A socket for both families of addresses, or for the one that the system has.
fn endpoint() -> Result<Endpoint, Failure> {
    let socket = socket((Ipv6Addr::UNSPECIFIED, 0).into())
        .or_else(|_| socket((Ipv4Addr::UNSPECIFIED, 0).into()));
    let (config, runtime) = (EndpointConfig::default(), Arc::new(TokioRuntime));
    socket.and_then(|socket| Endpoint::new(config, None, socket.into(), runtime)).map_err(|error| {
        tracing::warn!(%error, "no socket for QUIC");
        Failure::ConnectionLimit
    })
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The system gives what it allows (`net.core.rmem_max`).
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket)
}

fn failure_of(error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::TimedOut => Failure::ConnectTimeout,
        ConnectionError::TransportError(error) if is_of_tls(error.code) => Failure::UpstreamTls,
        ConnectionError::ConnectionClosed(close) if is_of_tls(close.error_code) => {
            Failure::UpstreamTls
        }
        ConnectionError::ConnectionClosed(close)
            if close.error_code == TransportErrorCode::CONNECTION_REFUSED =>
        {
            Failure::ConnectRefused
        }
        _ => Failure::ConnectFailed,
    }
}

/// Whether it is an alert of TLS (RFC 9001 §4.8).
fn is_of_tls(code: TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::UdpSocket;

    use tidegate_core::plan::{UpstreamProtocol, UpstreamTls};
    use tokio::runtime::{Builder, LocalOptions};

    use super::*;
    use crate::testing;

    /// Why there is no connection to one of `addresses` within a second.
    fn failure(addresses: &[SocketAddr]) -> Failure {
        let tls = UpstreamTls { verify: false, ca: None, server_name: None, cert: None, key: None };
        let tls = ClientTls::build(&tls, UpstreamProtocol::Http3, "tls").unwrap();
        let quic = ClientQuic::build(&tls, &testing::upstream().timeouts, "tls").unwrap();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build_local(LocalOptions::default());
        runtime.unwrap().block_on(async {
            let deadline = Instant::now() + Duration::from_secs(1);
            let name = ServerName::try_from("localhost").unwrap();
            quic.connect(&name, addresses, deadline).await.unwrap_err().failure
        })
    }

    #[test]
    fn an_address_that_cannot_be_tried_leaves_the_others_their_time() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (silent, nowhere) = (silent.local_addr().unwrap(), "127.0.0.1:0".parse().unwrap());
        assert_eq!(failure(&[nowhere]), Failure::ConnectFailed);
        assert_eq!(failure(&[nowhere, silent]), Failure::ConnectTimeout);
        assert_eq!(failure(&[silent, nowhere]), Failure::ConnectTimeout);
    }
}
