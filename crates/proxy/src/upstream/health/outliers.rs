//! Comparing the endpoints of an upstream with each other.

use std::rc::Rc;

use tidegate_core::health::{Comparison, Stats};
use tokio::time::{Instant, sleep_until};

use super::{Current, on_grid};
use crate::net::clock;
use crate::upstream::Membership;

/// Eject, interval by interval, the endpoints that do worse than their peers.
pub async fn compare(current: Rc<Current>) {
    loop {
        let upstream = current.get();
        let mut plan = upstream.plan.health.outlier.clone();
        if upstream.plan.balance.hash.is_some() {
            plan.latency = None; // requests are not alike where a hash chooses among them
        }
        let membership = upstream.membership.load_full();
        let mut comparison = Comparison::begin(stats(&membership));
        // Other members, or other settings, begin another comparison.
        while current.is(&upstream, &membership) {
            sleep_until(on_grid(Instant::now() + plan.interval.duration())).await;
            for (index, complaint) in comparison.end(stats(&membership), &plan) {
                let member = &membership.members[index];
                member.health_changed(member.endpoint.health.stood_out(complaint, clock::now()));
            }
        }
    }
}

fn stats(membership: &Membership) -> Vec<Stats> {
    let loads = membership.members.iter().map(|member| &member.endpoint.load);
    loads
        .map(|load| Stats {
            requests: load.requests(),
            failures: load.failures(),
            latency: load.latency(),
        })
        .collect()
}
