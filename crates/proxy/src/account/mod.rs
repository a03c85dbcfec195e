//! What becomes of a request: its record, and what is made of it, which are its witnesses: metrics, access log, explain.

pub mod access_log;
mod civil;
pub mod event;
pub mod explain;
pub mod exposition;
pub mod metrics;
pub mod origin;
pub mod outbox;
pub mod record;
pub mod relay;
pub mod rpc;
pub mod samples;
mod sharded;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
pub mod witness;

use std::sync::Arc;

use self::explain::Archive;
use self::metrics::{Metrics, RouteMetrics};
use self::outbox::Outbox;
use self::samples::Samples;

/// What the threads of an engine count, remember and tell in.
pub struct Accounts {
    /// All counts.
    pub metrics: Arc<Metrics>,
    /// The counts of requests that no route took.
    pub unrouted: Arc<RouteMetrics>,
    /// What became of recent requests.
    pub stories: Archive,
    /// What the control plane is told.
    pub outbox: Arc<Outbox>,
    /// What models learn from.
    pub samples: Arc<Samples>,
}

impl Accounts {
    /// For so many workers.
    pub fn new(workers: usize) -> Self {
        let metrics = Metrics::new(workers);
        Self {
            unrouted: metrics.unrouted(),
            metrics,
            stories: Archive::new(workers),
            outbox: Arc::default(),
            samples: Arc::new(Samples::new(workers)),
        }
    }
}
