//! What is counted of QUIC, of listeners that speak it.

use std::sync::Arc;

use quinn::ConnectionStats;

use super::ListenerMetrics;
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counters, Sharded};
use crate::quic::Stray;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuicEvent {
    /// A handshake begins.
    HandshakeBegun,
    /// A handshake came to its end.
    HandshakeCompleted,
    /// A handshake did not.
    HandshakeFailed,
    /// A Retry packet.
    Retry,
    /// A stream that a request comes on.
    StreamOpened,
    /// The end of such a stream.
    StreamClosed,
    /// A request is served before its client's handshake is complete.
    EarlyServed,
    /// A request waits for its client's handshake.
    EarlyHeld,
    /// A packet with the id of another worker.
    StrayOfAnotherWorker,
    /// One of those that it had no room for.
    StrayDropped,
    /// A packet with an id of the worker's own, but of no connection.
    StrayOfNoConnection,
    /// The client of a connection that ended had changed its address.
    Moved,
    /// A packet of a connection that ended was sent.
    Sent,
    /// A packet of a connection that ended was lost.
    Lost,
    /// Of a connection that ended, as the other frames.
    ResetStreamSent,
    /// The same, received.
    ResetStreamReceived,
    /// Of a connection that ended.
    StopSendingSent,
    /// The same, received.
    StopSendingReceived,
}

use QuicEvent::*;

impl QuicEvent {
    /// How many kinds there are.
    const COUNT: usize = StopSendingReceived as usize + 1;
}

impl From<Stray> for QuicEvent {
    fn from(stray: Stray) -> Self {
        match stray {
            Stray::OfAnotherWorker => StrayOfAnotherWorker,
            Stray::Dropped => StrayDropped,
            Stray::OfNoConnection => StrayOfNoConnection,
        }
    }
}

/// A family of counts, and the values of its labels for each event.
struct EventFamily {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    events: &'static [(QuicEvent, &'static [&'static str])],
}

const FAMILIES: [EventFamily; 9] = [
    EventFamily {
        name: "tidegate_quic_handshakes_total",
        help: "Handshakes that began, and how those ended that did.",
        labels: &["stage"],
        events: &[
            (HandshakeBegun, &["begun"]),
            (HandshakeCompleted, &["completed"]),
            (HandshakeFailed, &["failed"]),
        ],
    },
    EventFamily {
        name: "tidegate_quic_retries_total",
        help: "Clients that were made to show that their addresses are their own.",
        labels: &[],
        events: &[(Retry, &[])],
    },
    EventFamily {
        name: "tidegate_quic_moved_connections_total",
        help: "Connections that ended and whose clients had changed their addresses.",
        labels: &[],
        events: &[(Moved, &[])],
    },
    EventFamily {
        name: "tidegate_quic_packets_total",
        help: "Packets of connections that ended, sent and lost.",
        labels: &["event"],
        events: &[(Sent, &["sent"]), (Lost, &["lost"])],
    },
    EventFamily {
        name: "tidegate_quic_stream_resets_total",
        help: "Frames that end a stream early, of connections that ended.",
        labels: &["frame", "direction"],
        events: &[
            (ResetStreamSent, &["reset_stream", "sent"]),
            (ResetStreamReceived, &["reset_stream", "received"]),
            (StopSendingSent, &["stop_sending", "sent"]),
            (StopSendingReceived, &["stop_sending", "received"]),
        ],
    },
    EventFamily {
        name: "tidegate_quic_streams_total",
        help: "Streams that requests came on.",
        labels: &[],
        events: &[(StreamOpened, &[])],
    },
    EventFamily {
        name: "tidegate_quic_early_requests_total",
        help: "Requests that came before their client's handshake was complete.",
        labels: &["result"],
        events: &[(EarlyServed, &["served"]), (EarlyHeld, &["held"])],
    },
    EventFamily {
        name: "tidegate_quic_stray_packets_total",
        help: "Packets that came to a worker and were of none of its connections.",
        labels: &["of"],
        events: &[
            (StrayOfAnotherWorker, &["another_worker"]),
            (StrayOfNoConnection, &["no_connection"]),
        ],
    },
    EventFamily {
        name: "tidegate_quic_dropped_packets_total",
        help: "Packets of another worker's connections that it had no room for.",
        labels: &[],
        events: &[(StrayDropped, &[])],
    },
];

/// Counts of one listener's connections over QUIC; their series appear with the first.
#[derive(Debug)]
pub struct QuicMetrics(Sharded<Counters<{ QuicEvent::COUNT }>>);

impl QuicMetrics {
    pub(super) fn new(workers: usize) -> Self {
        Self(Sharded::new(workers))
    }

    /// Whether there was anything to count.
    fn is_used(&self) -> bool {
        self.0.used().next().is_some()
    }

    /// Counts one.
    pub fn count(&self, worker: usize, event: QuicEvent) {
        self.0.of(worker)[event as usize].add(1);
    }

    /// Counts what a connection that ends came to.
    pub fn ended(&self, worker: usize, stats: &ConnectionStats) {
        let counts = self.0.of(worker);
        // A server asks for a sign of life from another address only where a client has moved (RFC 9000 §9.3).
        let moved = u64::from(stats.frame_tx.path_challenge > 0);
        for (event, count) in [
            (Moved, moved),
            (Sent, stats.path.sent_packets),
            (Lost, stats.path.lost_packets),
            (ResetStreamSent, stats.frame_tx.reset_stream),
            (ResetStreamReceived, stats.frame_rx.reset_stream),
            (StopSendingSent, stats.frame_tx.stop_sending),
            (StopSendingReceived, stats.frame_rx.stop_sending),
        ] {
            counts[event as usize].add(count);
        }
    }
}

/// What is counted of QUIC.
pub(super) fn families(page: &mut Exposition, listeners: &[Arc<ListenerMetrics>]) {
    let listeners: Vec<_> = listeners.iter().filter(|each| each.quic.is_used()).collect();
    for EventFamily { name, help, labels, events } in FAMILIES {
        let mut family = page.family(name, Kind::Counter, help);
        for listener in &listeners {
            for (event, values) in events {
                let kind = labels.iter().copied().zip(values.iter().copied());
                let labels: Vec<_> =
                    std::iter::once(("listener", listener.name())).chain(kind).collect();
                let count = listener.quic.0.sum(|counts| &counts[*event as usize]);
                family.sample(&labels, count);
            }
        }
    }
    let mut family = page.family(
        "tidegate_quic_open_streams",
        Kind::Gauge,
        "Streams of requests that are open now.",
    );
    for listener in &listeners {
        let [opened, closed] = [StreamOpened, StreamClosed].map(|event| event as usize);
        let open = listener.quic.0.open(|counts| &counts[opened], |counts| &counts[closed]);
        family.sample(&[("listener", listener.name())], open);
    }
}
