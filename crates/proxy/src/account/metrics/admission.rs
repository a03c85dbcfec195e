//! What is counted of admission: requests that wait, and requests that are turned away.

use std::time::Duration;

use tidegate_core::failure::Failure;
use tidegate_core::plan::Priority;

use super::histogram::{Histogram, HistogramTotal, histogram};
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::Counter;

/// Why a request that waited, or would have had to, was turned away.
const SHED: [Failure; 3] = [Failure::Overloaded, Failure::QueueFull, Failure::QueueTimeout];

/// One worker's counts of requests that had to wait for one upstream.
#[derive(Debug, Default)]
pub(super) struct AdmissionCounts {
    wait: Histogram,
    /// By class and by reason.
    shed: [[Counter; SHED.len()]; Priority::ALL.len()],
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

/// What is counted of admission, by upstream and worker.
pub(super) fn families(page: &mut Exposition, upstreams: &[(&str, Vec<&AdmissionCounts>)]) {
    let mut family = page.family(
        "tidegate_upstream_queue_seconds",
        Kind::Histogram,
        "Time that requests waited for admission, of those that were not let in at once.",
    );
    for (upstream, parts) in upstreams {
        let mut total = HistogramTotal::default();
        parts.iter().for_each(|part| total.add(&part.wait));
        histogram(&mut family, &[("upstream", upstream)], &total);
    }
    let mut family = page.family(
        "tidegate_upstream_shed_total",
        Kind::Counter,
        "Requests turned away at admission, by class and reason.",
    );
    for (upstream, parts) in upstreams {
        for (class, (reason, failure)) in
            Priority::ALL.iter().flat_map(|class| SHED.iter().enumerate().map(move |r| (class, r)))
        {
            let shed: u64 = parts.iter().map(|part| part.shed[*class as usize][reason].get()).sum();
            let labels = [
                ("upstream", *upstream),
                ("class", class.label()),
                ("reason", failure.meaning().label),
            ];
            family.sample(&labels, shed);
        }
    }
}
