//! How everything is at this moment, for people and the admin API.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;
use tidegate_core::health::State;
use tidegate_core::plan::BalancePolicy;

use crate::net::clock;
use crate::snapshot::Listener;
use crate::snapshot::Snapshot;
use crate::upstream::Upstream;

/// The engine.
#[derive(Debug, Serialize)]
pub struct EngineStatus {
    /// Number of workers.
    pub workers: usize,
    /// In the plan's order.
    pub listeners: Vec<ListenerStatus>,
    /// In the plan's order.
    pub upstreams: Vec<UpstreamStatus>,
}

/// A listener.
#[derive(Debug, Serialize)]
pub struct ListenerStatus {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Open connections.
    pub connections: u32,
}

/// An upstream.
#[derive(Debug, Serialize)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: String,
    /// How endpoints are picked.
    pub policy: BalancePolicy,
    /// Requests in flight over all endpoints.
    pub in_flight: u64,
    /// How many may be; absent: as many as come.
    pub limit: Option<u32>,
    /// Requests that wait for their turn.
    pub queued: u32,
    /// Its endpoints.
    pub endpoints: Vec<EndpointStatus>,
}

/// An endpoint.
#[derive(Debug, Serialize)]
pub struct EndpointStatus {
    /// Its address.
    pub address: String,
    /// Its share of the load.
    pub weight: u32,
    /// The weight that it has now: smaller while it starts slowly, 0 while it gets no requests.
    pub effective_weight: f64,
    /// Lower ones are preferred.
    pub priority: u32,
    /// The zone that it runs in.
    pub zone: Option<String>,
    /// Whether it gets no new requests.
    pub drain: bool,
    /// `healthy`, `resting`, `ejected`, `unhealthy`, `draining` or `maintenance`.
    pub state: &'static str,
    /// Whether it may get requests now.
    pub healthy: bool,
    /// Why it is in that state.
    pub cause: String,
    /// For how long it has been, in seconds.
    pub for_seconds: f64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests that it works on at a time; absent where it is not known or any number.
    pub workers: Option<u32>,
    /// Open connections.
    pub connections: u32,
    /// Requests that finished.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Mean latency of late, in milliseconds; absent before the first answer.
    pub latency_ms: Option<f64>,
}

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
pub(super) fn health(snapshot: &Snapshot, upstream: &str, address: &str) -> Option<EndpointHealth> {
    let upstream = snapshot.upstreams.iter().find(|each| each.plan.name == upstream)?;
    let member = upstream.members.iter().find(|member| member.endpoint.address == address)?;
    let (now, wall) = (clock::now(), clock::unix_nanos() as f64 / 1e9);
    let health = &member.endpoint.health;
    let changes: Vec<_> = health
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
        state: health.state().label(),
        healthy: health.available(now) && member.endpoint.is_open(),
        cause: changes.first().map(|last| last.cause.clone()).unwrap_or_default(),
        changes,
    })
}

pub(super) fn of(
    snapshot: &Snapshot,
    listeners: Vec<Arc<Listener>>,
    workers: usize,
) -> EngineStatus {
    EngineStatus {
        workers,
        listeners: listeners.iter().map(|listener| listener_status(listener)).collect(),
        upstreams: snapshot.upstreams.iter().map(|upstream| upstream_status(upstream)).collect(),
    }
}

fn listener_status(listener: &Listener) -> ListenerStatus {
    let settings = listener.settings.load();
    ListenerStatus {
        name: listener.name.clone(),
        address: settings.plan.address.clone(),
        tls: settings.tls.is_some(),
        connections: listener.open.load(Relaxed),
    }
}

fn upstream_status(upstream: &Upstream) -> UpstreamStatus {
    let admission = upstream.admission.occupancy();
    UpstreamStatus {
        name: upstream.plan.name.clone(),
        policy: upstream.plan.balance.policy,
        in_flight: upstream.balancer.endpoints().total().in_flight(),
        limit: admission.limit,
        queued: admission.queued,
        endpoints: (0..upstream.members.len()).map(|at| endpoint_status(upstream, at)).collect(),
    }
}

fn endpoint_status(upstream: &Upstream, index: usize) -> EndpointStatus {
    let (endpoint, plan) = (&upstream.members[index].endpoint, &upstream.plan.endpoints[index]);
    let now = clock::now();
    let (load, last) = (&endpoint.load, endpoint.health.history().pop());
    EndpointStatus {
        address: endpoint.address.clone(),
        weight: endpoint.weight(),
        effective_weight: upstream.balancer.effective_weight(index, now),
        priority: plan.priority,
        zone: plan.zone.clone(),
        drain: endpoint.health.state() == State::Draining,
        state: endpoint.health.state().label(),
        healthy: endpoint.health.available(now),
        cause: last.as_ref().map(|last| last.cause.to_string()).unwrap_or_default(),
        for_seconds: last.map_or(0.0, |last| now.since(last.at).as_secs_f64()),
        in_flight: load.in_flight(),
        workers: load.foreseen().workers,
        connections: load.connections(),
        requests: load.requests(),
        failures: load.failures(),
        latency_ms: load.latency().map(|latency| latency.as_secs_f64() * 1000.0),
    }
}
