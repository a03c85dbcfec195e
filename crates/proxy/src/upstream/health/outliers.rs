//! Comparing the endpoints of an upstream with each other.

use std::rc::Rc;
use std::sync::Arc;

use tidegate_core::health::{Comparison, Stats};
use tokio::time::{Instant, sleep_until};

use super::{Current, on_grid, tell};
use crate::clock;
use crate::upstream::Upstream;

/// Eject, interval by interval, the endpoints that do worse than their peers.
pub async fn compare(current: Rc<Current>) {
    loop {
        let upstream = current.get();
        let mut plan = upstream.plan.health.outlier.clone();
        if upstream.plan.balance.hash.is_some() {
            plan.latency = None; // requests are not alike where a hash chooses among them
        }
        let mut comparison = Comparison::begin(stats(&upstream));
        // Other members, or other settings, begin another comparison.
        while Arc::ptr_eq(&upstream, &current.get()) {
            sleep_until(on_grid(Instant::now() + plan.interval.duration())).await;
            for (index, complaint) in comparison.end(stats(&upstream), &plan) {
                let member = &upstream.members[index];
                tell(member, member.endpoint.health.stood_out(complaint, clock::now()));
            }
        }
    }
}

fn stats(upstream: &Upstream) -> Vec<Stats> {
    let loads = upstream.members.iter().map(|member| &member.endpoint.load);
    loads
        .map(|load| Stats {
            requests: load.requests(),
            failures: load.failures(),
            latency: load.latency(),
        })
        .collect()
}
