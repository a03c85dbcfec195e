//! What is counted of upstreams: answers, retries and hedges, and what [`admission`] and [`health`] count of them.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::failure::Failure;
use tidegate_core::plan::Priority;
use tidegate_core::retry::Reason;

use super::admission::{self, AdmissionCounts};
use super::health::{self, HealthCounts};
use super::histogram::{Histogram, HistogramTotal, histogram};
use super::predict::PredictCounts;
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, Sharded};

/// Picks one of an upstream's counters.
type UpstreamCounter = fn(&UpstreamTraffic) -> &Counter;

/// Counts of one upstream.
#[derive(Debug)]
pub struct UpstreamMetrics {
    name: Box<str>,
    traffic: Sharded<UpstreamTraffic>,
    /// Of its endpoints' health.
    pub health: HealthCounts,
    /// Of predictions.
    pub predict: PredictCounts,
}

#[derive(Debug, Default)]
struct UpstreamTraffic {
    response_head: Histogram,
    retries: [Counter; Reason::ALL.len()],
    retries_denied: Counter,
    hedges: Counter,
    hedges_won: Counter,
    admission: AdmissionCounts,
}

impl UpstreamMetrics {
    pub(super) fn new(name: &str, workers: usize) -> Self {
        let (traffic, health) = (Sharded::new(workers), HealthCounts::default());
        Self { name: name.into(), traffic, health, predict: PredictCounts::default() }
    }

    /// The upstream's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts the time from a request sent to its response's head.
    pub fn response_head(&self, worker: usize, took: Duration) {
        self.traffic.of(worker).response_head.observe(took);
    }

    /// Counts a try after the first, and why it is made.
    pub fn retried(&self, worker: usize, reason: Reason) {
        self.traffic.of(worker).retries[reason.index()].add(1);
    }

    /// Counts a try that the budget did not allow.
    pub fn retry_denied(&self, worker: usize) {
        self.traffic.of(worker).retries_denied.add(1);
    }

    /// Counts a try beside another.
    pub fn hedged(&self, worker: usize) {
        self.traffic.of(worker).hedges.add(1);
    }

    /// Counts a try beside another that was answered first.
    pub fn hedge_won(&self, worker: usize) {
        self.traffic.of(worker).hedges_won.add(1);
    }

    /// Counts the wait for admission of a request that was not let in at once, and how it failed.
    pub fn queued(&self, worker: usize, took: Duration, class: Priority, failed: Option<Failure>) {
        self.traffic.of(worker).admission.queued(took, class, failed);
    }

    /// The counts of admission, by worker.
    fn admission(&self) -> Vec<&AdmissionCounts> {
        self.traffic.used().map(|part| &part.admission).collect()
    }

    /// Adds one of the histograms up.
    fn total(&self, histogram: impl Fn(&UpstreamTraffic) -> &Histogram) -> HistogramTotal {
        let mut total = HistogramTotal::default();
        self.traffic.used().for_each(|part| total.add(histogram(part)));
        total
    }
}

/// What is counted of upstreams.
pub(super) fn families(page: &mut Exposition, upstreams: &[Arc<UpstreamMetrics>]) {
    let health: Vec<_> =
        upstreams.iter().map(|upstream| (upstream.name(), &upstream.health)).collect();
    health::families(page, &health);
    let admission: Vec<_> =
        upstreams.iter().map(|upstream| (upstream.name(), upstream.admission())).collect();
    admission::families(page, &admission);
    let mut family = page.family(
        "tidegate_upstream_response_head_seconds",
        Kind::Histogram,
        "Time from sending a request to the head of its response.",
    );
    for upstream in upstreams {
        histogram(
            &mut family,
            &[("upstream", upstream.name())],
            &upstream.total(|part| &part.response_head),
        );
    }
    let mut family = page.family(
        "tidegate_upstream_retries_total",
        Kind::Counter,
        "Tries after the first, by what came of the one before.",
    );
    for upstream in upstreams {
        for reason in Reason::ALL {
            let retries = upstream.traffic.sum(|part| &part.retries[reason.index()]);
            family.sample(&[("upstream", upstream.name()), ("reason", reason.label())], retries);
        }
    }
    let mut counter = |name, help, counter: UpstreamCounter| {
        let mut family = page.family(name, Kind::Counter, help);
        for upstream in upstreams {
            family.sample(&[("upstream", upstream.name())], upstream.traffic.sum(counter));
        }
    };
    counter(
        "tidegate_upstream_retries_denied_total",
        "Tries that were not made because the retry budget was spent.",
        |part| &part.retries_denied,
    );
    counter("tidegate_upstream_hedges_total", "Tries beside another.", |part| &part.hedges);
    counter(
        "tidegate_upstream_hedges_won_total",
        "Tries beside another that were answered first.",
        |part| &part.hedges_won,
    );
}
