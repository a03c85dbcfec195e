//! What is counted of rate limits.

use std::sync::Arc;
use std::time::Duration;

use super::histogram::{Histogram, HistogramTotal, histogram};
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

/// What a limit held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A request, until its turn.
    Request,
    /// The body of a request, to its bandwidth.
    RequestBody,
    /// The body of a response, to its bandwidth.
    ResponseBody,
}

impl Held {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Request, "request"),
        (Self::RequestBody, "request_body"),
        (Self::ResponseBody, "response_body"),
    ];
}

/// Counts of one rate limit.
#[derive(Debug)]
pub struct RateLimitMetrics {
    name: Box<str>,
    results: Sharded<[Counter; RateResult::ALL.len()]>,
    delays: [Sharded<Histogram>; Held::ALL.len()],
}

impl RateLimitMetrics {
    pub(super) fn new(name: &str, workers: usize) -> Self {
        Self {
            name: name.into(),
            results: Sharded::new(workers),
            delays: Held::ALL.map(|_| Sharded::new(workers)),
        }
    }

    /// Counts what the limit said to a request.
    pub fn asked(&self, worker: usize, result: RateResult) {
        self.results.of(worker)[result as usize].add(1);
    }
}

impl RateLimitMetrics {
    /// Counts that the limit held something back for so long.
    pub fn delayed(&self, worker: usize, held: Held, delay: Duration) {
        self.delays[held as usize].of(worker).observe(delay);
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
    let mut family = page.family(
        "tidegate_rate_limit_delay_seconds",
        Kind::Histogram,
        "How long a rate limit held back what it held back: requests until their turn, bodies to their bandwidth.",
    );
    for limit in limits {
        for (held, label) in Held::ALL {
            let mut total = None;
            for part in limit.delays[held as usize].used() {
                total.get_or_insert_with(HistogramTotal::default).add(part);
            }
            if let Some(total) = total {
                histogram(&mut family, &[("limit", &limit.name), ("held", label)], &total);
            }
        }
    }
}
