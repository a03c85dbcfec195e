//! The page of metrics: counts, and how everything is at this moment.

use std::collections::HashMap;
use std::sync::Arc;

use super::Engine;
use crate::account::metrics::EndpointState;
use crate::net::clock;
use crate::upstream::{Membership, Upstream};

impl Engine {
    /// All metrics in the Prometheus text format.
    pub fn metrics(&self) -> String {
        let snapshot = self.snapshot();
        let memberships: HashMap<&str, (&Upstream, Arc<Membership>)> = snapshot
            .upstreams
            .iter()
            .map(|upstream| (&*upstream.plan.name, (&**upstream, upstream.membership().clone())))
            .collect();
        let now = clock::now();
        let mut states = HashMap::new();
        for (name, (_, membership)) in &memberships {
            for endpoint in membership.members.iter().map(|member| &member.endpoint) {
                let in_flight = u64::from(endpoint.load.in_flight());
                let state = EndpointState { in_flight, available: endpoint.takes_requests(now) };
                states.insert((*name, endpoint.address.as_str()), state);
            }
        }
        let endpoint = |upstream: &str, address: &str| states.get(&(upstream, address)).copied();
        let upstream = |name: &str| memberships.get(name).map(|(up, _)| up.admission.state());
        let dropped = snapshot.access_log.as_ref().map_or(0, |log| log.dropped());
        self.accounts.metrics.render(endpoint, upstream, dropped)
    }
}
