//! What is counted of the health of an upstream's endpoints.

use std::time::Duration;

use tidegate_core::health::State;

use super::histogram::{Histogram, HistogramTotal, histogram};
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, SharedCounter};

/// Health checks and changes of health. Checks are counted by the one thread that makes them.
#[derive(Debug, Default)]
pub struct HealthCounts {
    passed: Counter,
    failed: Counter,
    duration: Histogram,
    /// By the state that an endpoint is in since.
    changes: [SharedCounter; State::ALL.len()],
}

impl HealthCounts {
    /// Counts a health check of one of its endpoints.
    pub fn checked(&self, passed: bool, took: Duration) {
        if passed {
            self.passed.add(1)
        } else {
            self.failed.add(1)
        }
        self.duration.observe(took);
    }

    /// Counts a change of an endpoint's health.
    pub fn changed(&self, to: State) {
        self.changes[to as usize].add(1);
    }
}

/// What is counted of health, by upstream.
pub(super) fn families(page: &mut Exposition, upstreams: &[(&str, &HealthCounts)]) {
    let mut family = page.family(
        "tidegate_health_checks_total",
        Kind::Counter,
        "Health checks of an upstream's endpoints by result.",
    );
    for (upstream, checks) in upstreams {
        for (result, count) in [("passed", &checks.passed), ("failed", &checks.failed)] {
            family.sample(&[("upstream", upstream), ("result", result)], count.get());
        }
    }
    let mut family = page.family(
        "tidegate_health_check_seconds",
        Kind::Histogram,
        "Time that a health check took.",
    );
    for (upstream, counts) in upstreams {
        let mut total = HistogramTotal::default();
        total.add(&counts.duration);
        histogram(&mut family, &[("upstream", upstream)], &total);
    }
    let mut family = page.family(
        "tidegate_health_changes_total",
        Kind::Counter,
        "Changes of an endpoint's health by the state that it is in since.",
    );
    for (upstream, counts) in upstreams {
        for &state in State::ALL {
            let count = counts.changes[state as usize].get();
            family.sample(&[("upstream", upstream), ("state", state.label())], count);
        }
    }
}
