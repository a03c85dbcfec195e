//! What is counted of admission: who waits, and who is turned away.

use std::time::Duration;

use tidegate_core::failure::Failure;
use tidegate_core::plan::Priority;

use super::histogram::{Histogram, histogram};
use super::registry::Metrics;
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::Counter;

/// Why a request was turned away that waited, or would have had to.
const SHED: [Failure; 3] = [Failure::Overloaded, Failure::QueueFull, Failure::QueueTimeout];

/// One worker's counts of those who had to wait for one upstream.
#[derive(Debug, Default)]
pub(super) struct AdmissionCounts {
    wait: Histogram,
    /// By class and by reason.
    shed: [[Counter; SHED.len()]; Priority::ALL.len()],
}

/// How an upstream is at this moment; read from its admission when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamState {
    /// Requests admitted and not finished, over all workers.
    pub in_flight: u32,
    /// How many may be; `None`: as many as come.
    pub limit: Option<u32>,
    /// Requests that wait.
    pub queued: u32,
}

impl AdmissionCounts {
    /// Counts the wait of a request that was not let in at once, and how it failed.
    pub(super) fn queued(&self, took: Duration, class: Priority, failed: Option<Failure>) {
        self.wait.observe(took);
        if let Some(reason) = SHED.iter().position(|reason| Some(*reason) == failed) {
            self.shed[class as usize][reason].add(1);
        }
    }
}

impl Metrics {
    pub(super) fn render_admission(
        &self,
        page: &mut Exposition,
        state: impl Fn(&str) -> Option<UpstreamState>,
    ) {
        let upstreams = self.upstreams.held();
        let mut family = page.family(
            "tidegate_upstream_queue_seconds",
            Kind::Histogram,
            "Time that requests waited for admission, of those that were not let in at once.",
        );
        for (name, upstream) in &upstreams {
            histogram(
                &mut family,
                ("upstream", name),
                &upstream.total(|part| &part.admission.wait),
            );
        }
        let mut family = page.family(
            "tidegate_upstream_shed_total",
            Kind::Counter,
            "Requests turned away at admission, by class and reason.",
        );
        for (name, upstream) in &upstreams {
            for (class, (reason, failure)) in Priority::ALL
                .iter()
                .flat_map(|class| SHED.iter().enumerate().map(move |r| (class, r)))
            {
                let shed =
                    upstream.traffic.sum(|part| &part.admission.shed[*class as usize][reason]);
                let labels = [
                    ("upstream", name.as_str()),
                    ("class", class.label()),
                    ("reason", failure.meaning().label),
                ];
                family.sample(&labels, shed);
            }
        }
        let states: Vec<_> =
            upstreams.iter().filter_map(|(name, _)| Some((name.as_str(), state(name)?))).collect();
        let mut gauge = |name, help, value: fn(&UpstreamState) -> Option<u32>| {
            let mut family = page.family(name, Kind::Gauge, help);
            for (upstream, state) in &states {
                if let Some(value) = value(state) {
                    family.sample(&[("upstream", upstream)], value);
                }
            }
        };
        gauge(
            "tidegate_upstream_requests_in_flight",
            "Requests admitted and not finished.",
            |state| Some(state.in_flight),
        );
        gauge(
            "tidegate_upstream_requests_limit",
            "Requests that may be in flight; absent where as many as come.",
            |state| state.limit,
        );
        gauge("tidegate_upstream_requests_queued", "Requests that wait for admission.", |state| {
            Some(state.queued)
        });
    }
}
