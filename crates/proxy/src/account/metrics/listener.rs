//! What is counted of listeners.

use std::sync::Arc;

use super::QuicMetrics;
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, Sharded};

/// Picks one of a listener's counters.
type ListenerCounter = fn(&ListenerTraffic) -> &Counter;

/// Counts of one listener.
#[derive(Debug)]
pub struct ListenerMetrics {
    name: Box<str>,
    /// Counts of its connections over QUIC.
    pub quic: QuicMetrics,
    traffic: Sharded<ListenerTraffic>,
}

#[derive(Debug, Default)]
struct ListenerTraffic {
    accepted: Counter,
    closed: Counter,
    refused: Counter,
    denied: Counter,
    handshakes: Counter,
    resumed: Counter,
    handshake_failures: Counter,
    request_bytes: Counter,
    response_bytes: Counter,
}

impl ListenerMetrics {
    pub(super) fn new(name: &str, workers: usize) -> Self {
        let (quic, traffic) = (QuicMetrics::new(workers), Sharded::new(workers));
        Self { name: name.into(), quic, traffic }
    }

    /// The listener's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts a connection that is served from now on.
    pub fn accepted(&self, worker: usize) {
        self.traffic.of(worker).accepted.add(1);
    }

    /// Counts the end of an accepted connection.
    pub fn closed(&self, worker: usize) {
        self.traffic.of(worker).closed.add(1);
    }

    /// Counts a connection that was turned away because a limit was reached.
    pub fn refused(&self, worker: usize) {
        self.traffic.of(worker).refused.add(1);
    }

    /// Counts a connection from an address that may not connect.
    pub fn denied(&self, worker: usize) {
        self.traffic.of(worker).denied.add(1);
    }

    /// Counts a TLS handshake that succeeded.
    pub fn handshake(&self, worker: usize, resumed: bool) {
        let traffic = self.traffic.of(worker);
        if resumed { traffic.resumed.add(1) } else { traffic.handshakes.add(1) }
    }

    /// Counts a TLS handshake that did not succeed.
    pub fn handshake_failed(&self, worker: usize) {
        self.traffic.of(worker).handshake_failures.add(1);
    }

    /// Counts the bytes of a finished request's body and of its response's.
    pub fn transferred(&self, worker: usize, request_bytes: u64, response_bytes: u64) {
        let traffic = self.traffic.of(worker);
        traffic.request_bytes.add(request_bytes);
        traffic.response_bytes.add(response_bytes);
    }
}

/// What is counted of listeners.
pub(super) fn families(page: &mut Exposition, listeners: &[Arc<ListenerMetrics>]) {
    let mut counter = |name, help, counter: ListenerCounter| {
        let mut family = page.family(name, Kind::Counter, help);
        for listener in listeners {
            family.sample(&[("listener", listener.name())], listener.traffic.sum(counter));
        }
    };
    counter("tidegate_listener_connections_total", "Connections accepted.", |part| &part.accepted);
    counter(
        "tidegate_listener_connections_refused_total",
        "Connections turned away because a limit was reached.",
        |part| &part.refused,
    );
    counter(
        "tidegate_listener_connections_denied_total",
        "Connections from addresses that may not connect.",
        |part| &part.denied,
    );
    counter(
        "tidegate_listener_request_body_bytes_total",
        "Bytes of request bodies received.",
        |part| &part.request_bytes,
    );
    counter(
        "tidegate_listener_response_body_bytes_total",
        "Bytes of response bodies sent.",
        |part| &part.response_bytes,
    );
    let mut family = page.family(
        "tidegate_listener_open_connections",
        Kind::Gauge,
        "Connections that are open now.",
    );
    for listener in listeners {
        let open = listener.traffic.open(|part| &part.accepted, |part| &part.closed);
        family.sample(&[("listener", listener.name())], open);
    }
    let mut family = page.family(
        "tidegate_listener_tls_handshakes_total",
        Kind::Counter,
        "TLS handshakes by result: full, resumed or failed.",
    );
    let results: [(&str, ListenerCounter); 3] = [
        ("full", |part| &part.handshakes),
        ("resumed", |part| &part.resumed),
        ("failed", |part| &part.handshake_failures),
    ];
    for listener in listeners {
        for (result, counter) in results {
            let labels = [("listener", listener.name()), ("result", result)];
            family.sample(&labels, listener.traffic.sum(counter));
        }
    }
}
