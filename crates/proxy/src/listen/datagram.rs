//! Accepting connections over QUIC.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use quinn::Endpoint;
use tidegate_core::plan::QuicRetry;
use tokio::task::spawn_local;

use crate::account::metrics::QuicEvent;
use crate::client::{Admitted, TurnedAway};
use crate::local::Local;
use crate::net::UdpSockets;
use crate::quic::Stray;
use crate::serve::h3;
use crate::snapshot::{Listener, Settings};

/// Handshakes of a listener beyond which clients must show that their addresses are theirs.
const MANY_HALF_DONE: u32 = 256;

/// Accept connections until the task is aborted.
pub fn accept(
    local: Rc<Local>,
    listener: Arc<Listener>,
    sockets: Arc<UdpSockets>,
) -> impl Future<Output = ()> {
    let endpoint = take(&local, &listener, sockets);
    async move {
        if let Some(endpoint) = endpoint {
            accept_from(endpoint, local, listener).await;
        }
    }
}

/// The worker's endpoint of these sockets.
fn take(local: &Local, listener: &Listener, sockets: Arc<UdpSockets>) -> Option<Endpoint> {
    let settings = listener.settings.load();
    let quic = settings.quic.as_ref()?;
    let (metrics, worker) = (listener.metrics.clone(), local.index());
    let counter = Box::new(move |stray: Stray| metrics.quic.count(worker, stray.into()));
    let taken = local.server_endpoints.take(sockets, listener.id, quic, counter);
    taken
        .inspect_err(|error| {
            tracing::error!(listener = listener.name, %error, "cannot listen for QUIC");
        })
        .ok()
}

async fn accept_from(endpoint: Endpoint, local: Rc<Local>, listener: Arc<Listener>) {
    while let Some(incoming) = endpoint.accept().await {
        let settings = listener.settings.load_full();
        if !incoming.remote_address_validated() && wants_retry(&listener, &settings) {
            // It comes again with a token, which says that its address is its own.
            if incoming.retry().is_ok() {
                listener.metrics.quic.count(local.index(), QuicEvent::Retry);
            }
            continue;
        }
        let address = incoming.remote_address().ip().to_canonical();
        let admitted = match Admitted::new(local.clone(), listener.clone(), Some(address)) {
            Ok(admitted) => admitted,
            Err(TurnedAway::Denied) => {
                incoming.ignore();
                continue;
            }
            Err(TurnedAway::TooMany) => {
                incoming.refuse();
                continue;
            }
        };
        let Some(quic) = &settings.quic else {
            incoming.refuse();
            continue;
        };
        let handshake = h3::Handshake::begin(&admitted);
        match incoming.accept_with(quic.config().clone()) {
            Ok(connecting) => {
                let signal = admitted.signal.clone();
                let task = spawn_local(h3::serve(admitted, settings, connecting, handshake));
                signal.runs_as(task.abort_handle());
            }
            Err(error) => tracing::debug!(%error, "a client's first packet is not answered"),
        }
    }
}

/// Whether a client must show that its address is its own before a handshake costs anything.
fn wants_retry(listener: &Listener, settings: &Settings) -> bool {
    match settings.plan.http3.retry {
        QuicRetry::Always => true,
        QuicRetry::Never => false,
        QuicRetry::Auto => listener.half_done.load(Relaxed) >= MANY_HALF_DONE,
    }
}
