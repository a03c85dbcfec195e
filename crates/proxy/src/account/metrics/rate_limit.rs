//! What is counted of rate limits.

use std::sync::Arc;

use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, Sharded};

/// What a limit said to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateResult {
    /// It had room.
    Allowed,
    /// It had none.
    Denied,
    /// It had none, but does not refuse.
    WouldDeny,
}

impl RateResult {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Allowed, "allowed"), (Self::Denied, "denied"), (Self::WouldDeny, "would_deny")];
}

/// Counts of one rate limit.
#[derive(Debug)]
pub struct RateLimitMetrics {
    name: Box<str>,
    results: Sharded<[Counter; RateResult::ALL.len()]>,
}

impl RateLimitMetrics {
    pub(super) fn new(name: &str, workers: usize) -> Self {
        Self { name: name.into(), results: Sharded::new(workers) }
    }

    /// Counts what the limit said to a request.
    pub fn asked(&self, worker: usize, result: RateResult) {
        self.results.of(worker)[result as usize].add(1);
    }
}

/// What is counted of rate limits.
pub(super) fn families(page: &mut Exposition, limits: &[Arc<RateLimitMetrics>]) {
    let mut family = page.family(
        "tidegate_rate_limit_requests_total",
        Kind::Counter,
        "Requests by what a rate limit said to them.",
    );
    for limit in limits {
        for (result, label) in RateResult::ALL {
            let count = limit.results.sum(|results| &results[result as usize]);
            family.sample(&[("limit", &limit.name), ("result", label)], count);
        }
    }
}
