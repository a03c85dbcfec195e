//! What is counted of endpoints.

use std::sync::Arc;

use super::class::{ByClass, CodeClass, by_class};
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

/// What is counted of endpoints that ever got a request.
pub(super) fn families(page: &mut Exposition, endpoints: &[Arc<EndpointMetrics>]) {
    let used: Vec<_> = endpoints
        .iter()
        .filter(|endpoint| endpoint.traffic.used().next().is_some())
        .map(|endpoint| {
            ([("upstream", &**endpoint.upstream()), ("endpoint", endpoint.address())], endpoint)
        })
        .collect();
    let mut family = page.family(
        "tidegate_endpoint_responses_total",
        Kind::Counter,
        "Responses by endpoint and class of status code.",
    );
    for (labels, endpoint) in &used {
        by_class(&mut family, labels, &responses(endpoint));
    }
    let mut family = page.family(
        "tidegate_endpoint_connects_total",
        Kind::Counter,
        "Attempts to connect to an endpoint.",
    );
    for (labels, endpoint) in &used {
        let connects = endpoint.traffic.sum(|part| &part.connects);
        family.sample(labels, connects);
    }
    let mut family = page.family(
        "tidegate_endpoint_connect_failures_total",
        Kind::Counter,
        "Attempts to connect to an endpoint that failed.",
    );
    for (labels, endpoint) in &used {
        let failures = endpoint.traffic.sum(|part| &part.connect_failures);
        family.sample(labels, failures);
    }
}

fn responses(endpoint: &EndpointMetrics) -> ByClass<u64> {
    std::array::from_fn(|class| endpoint.traffic.sum(|part| &part.requests[class]))
}
