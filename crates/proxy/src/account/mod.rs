//! What becomes of a request: its record, and what is made of it, which are its witnesses: metrics, access log, explain.

pub mod access_log;
mod civil;
pub mod event;
pub mod explain;
pub mod exposition;
pub mod metrics;
pub mod record;
mod sharded;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
pub mod witness;

use std::sync::Arc;

use self::explain::Archive;
use self::metrics::{Metrics, RouteMetrics};

/// What the workers of an engine count and remember in.
pub struct Accounts {
    /// All counts.
    pub metrics: Arc<Metrics>,
    /// The counts of requests that no route took.
    pub unrouted: Arc<RouteMetrics>,
    /// What became of recent requests.
    pub stories: Archive,
}

impl Accounts {
    /// For so many workers, which count with `metrics`.
    pub fn new(metrics: Arc<Metrics>, workers: usize) -> Self {
        Self { unrouted: metrics.unrouted(), metrics, stories: Archive::new(workers) }
    }
}
