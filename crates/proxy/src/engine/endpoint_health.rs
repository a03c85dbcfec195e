//! How an endpoint came to be as it is.

use serde::Serialize;

use crate::net::clock;
use crate::snapshot::Snapshot;

/// How an endpoint came to be as it is.
#[derive(Debug, Serialize)]
pub struct EndpointHealth {
    /// Its state.
    pub state: &'static str,
    /// Whether it may get requests now.
    pub healthy: bool,
    /// Why it is in that state.
    pub cause: String,
    /// Its last changes, the latest first.
    pub changes: Vec<HealthChange>,
}

/// A change of an endpoint's health.
#[derive(Debug, Serialize)]
pub struct HealthChange {
    /// When, in seconds since 1970.
    pub time: f64,
    /// The state before.
    pub from: &'static str,
    /// The state since.
    pub to: &'static str,
    /// Why.
    pub cause: String,
}

/// The health of an endpoint; `None` if there is no such endpoint.
pub(super) fn of(snapshot: &Snapshot, upstream: &str, address: &str) -> Option<EndpointHealth> {
    let upstream = snapshot.upstreams.iter().find(|each| each.plan.name == upstream)?;
    let membership = upstream.membership();
    let endpoint = &membership.members[membership.find(address)?].endpoint;
    let (now, wall) = (clock::now(), clock::unix_nanos() as f64 / 1e9);
    let changes: Vec<_> = endpoint
        .health
        .history()
        .into_iter()
        .rev()
        .map(|change| HealthChange {
            time: wall - now.since(change.at).as_secs_f64(),
            from: change.from.label(),
            to: change.to.label(),
            cause: change.cause.to_string(),
        })
        .collect();
    Some(EndpointHealth {
        state: endpoint.health.state().label(),
        healthy: endpoint.takes_requests(now),
        cause: changes.first().map(|last| last.cause.clone()).unwrap_or_default(),
        changes,
    })
}
