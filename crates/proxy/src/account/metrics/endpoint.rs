//! What is counted of endpoints.

use std::sync::Arc;

use super::class::{ByClass, CodeClass, by_class};
use super::registry::Metrics;
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, Sharded};

/// Counts of one endpoint of one upstream.
#[derive(Debug)]
pub struct EndpointMetrics {
    upstream: Arc<str>,
    address: Box<str>,
    traffic: Sharded<EndpointTraffic>,
}

#[derive(Debug, Default)]
struct EndpointTraffic {
    requests: ByClass<Counter>,
    connects: Counter,
    connect_failures: Counter,
}

impl EndpointMetrics {
    pub(super) fn new(upstream: &Arc<str>, address: &str, workers: usize) -> Self {
        Self { upstream: upstream.clone(), address: address.into(), traffic: Sharded::new(workers) }
    }

    /// The upstream's name.
    pub fn upstream(&self) -> &Arc<str> {
        &self.upstream
    }

    /// The endpoint's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Counts a response by its status.
    pub fn answered(&self, worker: usize, status: u16) {
        self.traffic.of(worker).requests[CodeClass::of(status) as usize].add(1);
    }

    /// Counts an attempt to connect.
    pub fn connecting(&self, worker: usize) {
        self.traffic.of(worker).connects.add(1);
    }

    /// Counts an attempt to connect that failed, TLS handshake included.
    pub fn connect_failed(&self, worker: usize) {
        self.traffic.of(worker).connect_failures.add(1);
    }
}

/// How an endpoint is at this moment; read from the balancer's own state when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointState {
    /// Requests sent and not finished, over all workers.
    pub in_flight: u64,
    /// Whether it may get new requests.
    pub available: bool,
}

impl Metrics {
    pub(super) fn render_endpoints(
        &self,
        page: &mut Exposition,
        state: impl Fn(&str, &str) -> Option<EndpointState>,
    ) {
        let endpoints = self.endpoints.held();
        let used: Vec<_> = endpoints
            .iter()
            .filter(|(_, endpoint)| endpoint.traffic.used().next().is_some())
            .collect();
        let mut family = page.family(
            "tidegate_endpoint_responses_total",
            Kind::Counter,
            "Responses by endpoint and class of status code.",
        );
        for ((upstream, endpoint), metrics) in &used {
            let labels = [("upstream", upstream.as_str()), ("endpoint", endpoint.as_str())];
            by_class(&mut family, &labels, &responses(metrics));
        }
        let mut family = page.family(
            "tidegate_endpoint_connects_total",
            Kind::Counter,
            "Attempts to connect to an endpoint.",
        );
        for ((upstream, endpoint), metrics) in &used {
            let connects = metrics.traffic.sum(|part| &part.connects);
            family.sample(&[("upstream", upstream), ("endpoint", endpoint)], connects);
        }
        let mut family = page.family(
            "tidegate_endpoint_connect_failures_total",
            Kind::Counter,
            "Attempts to connect to an endpoint that failed.",
        );
        for ((upstream, endpoint), metrics) in &used {
            let failures = metrics.traffic.sum(|part| &part.connect_failures);
            family.sample(&[("upstream", upstream), ("endpoint", endpoint)], failures);
        }
        let states: Vec<_> = endpoints
            .iter()
            .filter_map(|((upstream, endpoint), _)| {
                let labels = [("upstream", upstream.as_str()), ("endpoint", endpoint.as_str())];
                Some((labels, state(upstream, endpoint)?))
            })
            .collect();
        let mut family = page.family(
            "tidegate_endpoint_requests_in_flight",
            Kind::Gauge,
            "Requests sent to an endpoint and not finished.",
        );
        for (labels, state) in &states {
            family.sample(labels, state.in_flight);
        }
        let mut family = page.family(
            "tidegate_endpoint_available",
            Kind::Gauge,
            "Whether an endpoint may get new requests (1) or not (0).",
        );
        for (labels, state) in &states {
            family.sample(labels, u8::from(state.available));
        }
    }
}

fn responses(endpoint: &EndpointMetrics) -> ByClass<u64> {
    std::array::from_fn(|class| endpoint.traffic.sum(|part| &part.requests[class]))
}
