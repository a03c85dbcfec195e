//! How everything is at this moment, for people and the admin API.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;
use tidegate_core::alternative::Standing;
use tidegate_core::health::State;
use tidegate_core::plan::{self, BalancePolicy};

use super::absent::{self, AbsentEndpoint, AbsentUpstream};
use super::predictions::PredictionStatus;
use crate::net::clock;
use crate::snapshot::{Listener, Snapshot};
use crate::upstream::live::{LiveEndpoints, LiveUpstream};
use crate::upstream::word::Word;
use crate::upstream::{Member, Membership, Upstream};

/// The engine.
#[derive(Debug, Serialize)]
pub struct EngineStatus {
    /// Number of workers.
    pub workers: usize,
    /// In the plan's order.
    pub listeners: Vec<ListenerStatus>,
    /// In the plan's order.
    pub upstreams: Vec<UpstreamStatus>,
    /// What operators said of endpoints of upstreams that are not there.
    pub absent: Vec<AbsentUpstream>,
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
    /// Whether it speaks HTTP/3, over UDP.
    pub http3: bool,
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
    /// Whether too few endpoints are well, so that requests go to all in service.
    pub panic_mode: bool,
    /// Requests in flight over all endpoints.
    pub in_flight: u64,
    /// How many may be; absent: as many as come.
    pub limit: Option<u32>,
    /// Requests that wait for their turn.
    pub queued: u32,
    /// What is predicted of its requests; absent: nothing.
    pub prediction: Option<PredictionStatus>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointStatus>,
    /// What operators said of endpoints that are not there.
    pub absent: Vec<AbsentEndpoint>,
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
    /// HTTP/3 that it announced; absent: none, or it is not heeded.
    pub http3: Option<AnnouncedHttp3>,
    /// What an operator said of it, which holds over what is configured.
    pub word: Option<Word>,
    /// What the file says of it; absent: a source found it.
    pub configured: Option<Configured>,
}

/// HTTP/3 that an endpoint announced.
#[derive(Debug, Serialize)]
pub struct AnnouncedHttp3 {
    /// The port.
    pub port: u16,
    /// For how long that holds, in seconds.
    pub holds_seconds: f64,
    /// Tries that failed since it last worked.
    pub failures: u32,
    /// For how long it is not tried, in seconds.
    pub rests_seconds: f64,
}

/// What the file says of an endpoint, whatever an operator said.
#[derive(Debug, Serialize)]
pub struct Configured {
    /// Its share of the load.
    pub weight: u32,
    /// Whether it gets no new requests.
    pub drain: bool,
    /// Why it is out of service; absent: it is in service.
    pub maintenance: Option<String>,
}

/// How everything is at this moment.
pub(super) fn of(
    snapshot: &Snapshot,
    listeners: Vec<Arc<Listener>>,
    live: &LiveEndpoints,
    workers: usize,
) -> EngineStatus {
    let upstream =
        |upstream: &Arc<Upstream>| upstream_status(upstream, live.of(&upstream.plan.name));
    EngineStatus {
        workers,
        listeners: listeners.iter().map(|listener| listener_status(listener)).collect(),
        upstreams: snapshot.upstreams.iter().map(upstream).collect(),
        absent: absent::upstreams(snapshot, live),
    }
}

fn listener_status(listener: &Listener) -> ListenerStatus {
    let settings = listener.settings.load();
    ListenerStatus {
        name: listener.name.clone(),
        address: settings.plan.address.clone(),
        tls: settings.tls.is_some(),
        http3: settings.quic.is_some(),
        connections: listener.open.load(Relaxed),
    }
}

fn upstream_status(upstream: &Upstream, live: &LiveUpstream) -> UpstreamStatus {
    let (admission, membership) = (upstream.admission.occupancy(), upstream.membership());
    let present: HashSet<&str> =
        membership.members.iter().map(|member| member.endpoint.address.as_str()).collect();
    let endpoint = |(index, member): (usize, &Arc<Member>)| EndpointStatus {
        word: live.word(&member.endpoint.address).cloned(),
        // The file's own endpoints come first.
        configured: upstream.plan.endpoints.get(index).map(configured),
        ..endpoint_status(&membership, index)
    };
    UpstreamStatus {
        name: upstream.plan.name.clone(),
        policy: upstream.plan.balance.policy,
        panic_mode: membership.is_panicking(),
        in_flight: membership.balancer.endpoints().total().in_flight(),
        limit: admission.limit,
        queued: admission.queued,
        prediction: PredictionStatus::of(upstream),
        endpoints: membership.members.iter().enumerate().map(endpoint).collect(),
        absent: absent::endpoints(live, |address| present.contains(address)),
    }
}

fn endpoint_status(membership: &Membership, index: usize) -> EndpointStatus {
    let (endpoint, plan) = (&membership.members[index].endpoint, &membership.plan.endpoints[index]);
    let now = clock::now();
    let (load, last) = (&endpoint.load, endpoint.health.history().pop());
    let announced = endpoint.alternative.standing(now);
    EndpointStatus {
        address: endpoint.address.clone(),
        weight: endpoint.weight(),
        effective_weight: membership.balancer.effective_weight(index, now),
        priority: plan.priority,
        zone: plan.zone.clone(),
        drain: endpoint.health.state() == State::Draining,
        state: endpoint.health.state().label(),
        healthy: endpoint.takes_requests(now),
        cause: last.as_ref().map(|last| last.cause.to_string()).unwrap_or_default(),
        for_seconds: last.map_or(0.0, |last| now.since(last.at).as_secs_f64()),
        in_flight: load.in_flight(),
        workers: load.foreseen().workers,
        connections: load.connections(),
        requests: load.requests(),
        failures: load.failures(),
        latency_ms: load.latency().map(|latency| latency.as_secs_f64() * 1000.0),
        http3: announced.filter(|_| membership.plan.http3).map(announced_http3),
        word: None,
        configured: None,
    }
}

fn announced_http3(standing: Standing) -> AnnouncedHttp3 {
    AnnouncedHttp3 {
        port: standing.port.get(),
        holds_seconds: standing.holds.as_secs_f64(),
        failures: standing.failures,
        rests_seconds: standing.rests.as_secs_f64(),
    }
}

fn configured(endpoint: &plan::Endpoint) -> Configured {
    let plan::Endpoint { weight, drain, maintenance, .. } = endpoint;
    Configured { weight: *weight, drain: *drain, maintenance: maintenance.clone() }
}
