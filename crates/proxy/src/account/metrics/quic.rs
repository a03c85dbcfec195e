//! What is counted of QUIC, of listeners that speak it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use quinn::{ConnectionStats, FrameStats};

use super::ListenerMetrics;
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, Sharded};
use crate::quic::Strays;

/// Picks one of a listener's counters.
type QuicCounter = fn(&QuicTraffic) -> &Counter;

/// Counts of one listener's connections over QUIC; their series appear with the first.
#[derive(Debug)]
pub struct QuicMetrics {
    /// Packets that are of none of them.
    pub strays: Arc<Strays>,
    traffic: Sharded<QuicTraffic>,
}

#[derive(Debug, Default)]
struct QuicTraffic {
    begun: Counter,
    completed: Counter,
    failed: Counter,
    retries: Counter,
    moved: Counter,
    sent: Counter,
    lost: Counter,
    opened: Counter,
    closed: Counter,
    resets: [Resets; 2],
    early_served: Counter,
    early_held: Counter,
}

/// Frames that end a stream early, of one direction.
#[derive(Debug, Default)]
struct Resets {
    reset_stream: Counter,
    stop_sending: Counter,
}

impl Resets {
    fn add(&self, frames: &FrameStats) {
        self.reset_stream.add(frames.reset_stream);
        self.stop_sending.add(frames.stop_sending);
    }
}

const SENT: usize = 0;
const RECEIVED: usize = 1;

impl QuicMetrics {
    pub(super) fn new(workers: usize) -> Self {
        Self { strays: Arc::default(), traffic: Sharded::new(workers) }
    }

    /// Whether there was anything to count.
    fn is_used(&self) -> bool {
        self.traffic.used().next().is_some() || self.strays.are_some()
    }

    /// Counts a handshake that begins.
    pub fn begun(&self, worker: usize) {
        self.traffic.of(worker).begun.add(1);
    }

    /// Counts a handshake that came to its end.
    pub fn completed(&self, worker: usize) {
        self.traffic.of(worker).completed.add(1);
    }

    /// Counts a handshake that did not.
    pub fn failed(&self, worker: usize) {
        self.traffic.of(worker).failed.add(1);
    }

    /// Counts a Retry packet.
    pub fn retry(&self, worker: usize) {
        self.traffic.of(worker).retries.add(1);
    }

    /// Counts a stream that a request comes on.
    pub fn opened(&self, worker: usize) {
        self.traffic.of(worker).opened.add(1);
    }

    /// Counts the end of such a stream.
    pub fn closed(&self, worker: usize) {
        self.traffic.of(worker).closed.add(1);
    }

    /// Counts a request that is served before its client's handshake is complete.
    pub fn early_served(&self, worker: usize) {
        self.traffic.of(worker).early_served.add(1);
    }

    /// Counts a request that waits for its client's handshake.
    pub fn early_held(&self, worker: usize) {
        self.traffic.of(worker).early_held.add(1);
    }

    /// Counts what a connection that ends came to.
    pub fn ended(&self, worker: usize, stats: &ConnectionStats) {
        let traffic = self.traffic.of(worker);
        // A server asks for a sign of life from another address only where a client has moved (RFC 9000 §9.3).
        traffic.moved.add(u64::from(stats.frame_tx.path_challenge > 0));
        traffic.sent.add(stats.path.sent_packets);
        traffic.lost.add(stats.path.lost_packets);
        traffic.resets[SENT].add(&stats.frame_tx);
        traffic.resets[RECEIVED].add(&stats.frame_rx);
    }
}

/// What is counted of QUIC.
pub(super) fn families(page: &mut Exposition, listeners: &[Arc<ListenerMetrics>]) {
    let listeners: Vec<_> = listeners.iter().filter(|each| each.quic.is_used()).collect();
    let mut counter = |name, help, labels: &[&'static str], kinds: &[(&[&str], QuicCounter)]| {
        let mut family = page.family(name, Kind::Counter, help);
        for listener in &listeners {
            for (values, counter) in kinds {
                let kind = labels.iter().copied().zip(values.iter().copied());
                let labels: Vec<_> =
                    std::iter::once(("listener", listener.name())).chain(kind).collect();
                family.sample(&labels, listener.quic.traffic.sum(counter));
            }
        }
    };
    counter(
        "tidegate_quic_handshakes_total",
        "Handshakes that began, and how those ended that did.",
        &["stage"],
        &[
            (&["begun"], |part| &part.begun),
            (&["completed"], |part| &part.completed),
            (&["failed"], |part| &part.failed),
        ],
    );
    counter(
        "tidegate_quic_retries_total",
        "Clients that were made to show that their addresses are their own.",
        &[],
        &[(&[], |part| &part.retries)],
    );
    counter(
        "tidegate_quic_moved_connections_total",
        "Connections that ended and whose clients had changed their addresses.",
        &[],
        &[(&[], |part| &part.moved)],
    );
    counter(
        "tidegate_quic_packets_total",
        "Packets of connections that ended, sent and lost.",
        &["event"],
        &[(&["sent"], |part| &part.sent), (&["lost"], |part| &part.lost)],
    );
    counter(
        "tidegate_quic_stream_resets_total",
        "Frames that end a stream early, of connections that ended.",
        &["frame", "direction"],
        &[
            (&["reset_stream", "sent"], |part| &part.resets[SENT].reset_stream),
            (&["reset_stream", "received"], |part| &part.resets[RECEIVED].reset_stream),
            (&["stop_sending", "sent"], |part| &part.resets[SENT].stop_sending),
            (&["stop_sending", "received"], |part| &part.resets[RECEIVED].stop_sending),
        ],
    );
    counter(
        "tidegate_quic_streams_total",
        "Streams that requests came on.",
        &[],
        &[(&[], |part| &part.opened)],
    );
    counter(
        "tidegate_quic_early_requests_total",
        "Requests that came before their client's handshake was complete.",
        &["result"],
        &[(&["served"], |part| &part.early_served), (&["held"], |part| &part.early_held)],
    );
    let mut family = page.family(
        "tidegate_quic_stray_packets_total",
        Kind::Counter,
        "Packets that came to a worker and were of none of its connections.",
    );
    for listener in &listeners {
        let Strays { of_another_worker, of_no_connection } = &*listener.quic.strays;
        for (of, count) in
            [("another_worker", of_another_worker), ("no_connection", of_no_connection)]
        {
            family.sample(&[("listener", listener.name()), ("of", of)], count.load(Relaxed));
        }
    }
    let mut family = page.family(
        "tidegate_quic_open_streams",
        Kind::Gauge,
        "Streams of requests that are open now.",
    );
    for listener in &listeners {
        let closed = listener.quic.traffic.sum(|part| &part.closed);
        let open = listener.quic.traffic.sum(|part| &part.opened).saturating_sub(closed);
        family.sample(&[("listener", listener.name())], open);
    }
}
