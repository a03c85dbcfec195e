//! What a listener's connections over QUIC are held to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::{BbrConfig, CubicConfig};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use tidegate_core::plan::{Congestion, Issue, Listener};

use super::keys::Keys;
use super::sessions::EarlySessions;
use super::shared_socket::SharedSocket;
use super::steering::{Steering, WorkersIds};
use super::strays::Strays;
use super::windows;
use crate::net::UdpSockets;
use crate::tls::ServerTls;

/// A peer that is silent for so long is gone. A live one is not silent: it is asked before.
const SILENCE: Duration = Duration::from_secs(30);
const ASKED_EVERY: Duration = Duration::from_secs(10);
/// Handshakes that wait to be looked at, and bytes that they may bring with them, one and all.
const WAITING: usize = 4_096;
const WAITING_BYTES: u64 = 64 * 1024;
const ALL_WAITING_BYTES: u64 = 16 * 1024 * 1024;

/// Everything a listener needs for its connections over QUIC; shared by all workers.
#[derive(Debug)]
pub struct ServerQuic {
    config: Arc<ServerConfig>,
    keys: Keys,
    early: Option<EarlySessions>,
}

impl ServerQuic {
    /// Build the QUIC side of a listener with this `tls` and these `keys`; `before` is what the listener of its name has now.
    ///
    /// # Errors
    /// Why it cannot be had; `path` is the listener's place in the plan.
    pub fn build(
        plan: &Listener,
        tls: &ServerTls,
        keys: Keys,
        before: Option<&Self>,
        path: &str,
    ) -> Result<Arc<Self>, Issue> {
        let early = EarlySessions::of(plan, before.and_then(|before| before.early.as_ref()));
        let crypto =
            QuicServerConfig::try_from(tls.quic_config(early.as_ref().map(|early| &early.memory)))
                .map_err(|error| {
                    Issue::new(path, format!("no cipher suite of TLS 1.3 serves QUIC: {error}"))
                })?;
        let mut config = ServerConfig::new(Arc::new(crypto), keys.tokens.clone());
        config
            .transport_config(Arc::new(transport(plan)))
            .max_incoming(WAITING)
            .incoming_buffer_size(WAITING_BYTES)
            .incoming_buffer_size_total(ALL_WAITING_BYTES);
        Ok(Arc::new(Self { config: Arc::new(config), keys, early }))
    }

    /// The configuration as `quinn` reads it.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

fn transport(plan: &Listener) -> TransportConfig {
    let mut transport = TransportConfig::default();
    let silence = IdleTimeout::try_from(SILENCE).ok();
    transport
        .max_concurrent_bidi_streams(plan.limits.streams.get().into())
        .max_concurrent_uni_streams(windows::UNIDIRECTIONAL.into())
        .max_idle_timeout(silence)
        .keep_alive_interval(Some(ASKED_EVERY))
        .stream_receive_window(VarInt::from_u32(windows::STREAM))
        .receive_window(VarInt::from_u32(windows::CONNECTION))
        .send_window(windows::SEND)
        .datagram_receive_buffer_size(None);
    match plan.http3.congestion {
        Congestion::Cubic => {
            transport.congestion_controller_factory(Arc::new(CubicConfig::default()))
        }
        Congestion::Bbr => transport.congestion_controller_factory(Arc::new(BbrConfig::default())),
    };
    transport
}

/// The endpoint of a worker, on its own of `sockets`.
///
/// # Errors
/// It has none there, or what the system says of it.
pub fn endpoint(
    sockets: Arc<UdpSockets>,
    worker: usize,
    quic: &ServerQuic,
    strays: Strays,
) -> io::Result<Endpoint> {
    let steering = Steering::new(quic.keys.steering, sockets.workers());
    // It is the same for all sockets of the port, and does not change.
    if let Err(error) = steering.attach(&sockets.of_worker(worker)?) {
        tracing::warn!(
            %error,
            "the system takes no filter that knows which worker a packet of QUIC is for: of clients that move to another \
             address the workers hand packets to each other"
        );
    }
    let socket = Arc::new(SharedSocket::of_worker(sockets, worker, steering, strays.clone())?);
    let mut config = EndpointConfig::new(quic.keys.resets.clone());
    config.cid_generator(move || Box::new(WorkersIds::new(steering, worker, strays.clone())));
    let server = ServerConfig::clone(&quic.config);
    Endpoint::new_with_abstract_socket(config, Some(server), socket, Arc::new(TokioRuntime))
}
