//! What is counted of routes.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::access::DeniedBy;
use tidegate_core::failure::Failure;

use super::class::{ByClass, CodeClass, by_class};
use super::histogram::{Histogram, HistogramTotal, histogram};
use super::tunnel_traffic::TunnelTraffic;
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, Counters, Sharded};

/// Counts of one route; those of requests that no route took have the empty name.
#[derive(Debug)]
pub struct RouteMetrics {
    name: Box<str>,
    traffic: Sharded<RouteTraffic>,
    /// Apart, because most routes never fail.
    failures: Sharded<Counters<{ Failure::ALL.len() }>>,
    denied: Sharded<Counters<{ DeniedBy::ALL.len() }>>,
    pub(super) tunnels: Sharded<TunnelTraffic>,
}

#[derive(Debug, Default)]
struct RouteTraffic {
    requests: ByClass<Counter>,
    duration: Histogram,
    request_bytes: Counter,
    response_bytes: Counter,
}

impl RouteMetrics {
    pub(super) fn new(name: &str, workers: usize) -> Self {
        Self {
            name: name.into(),
            traffic: Sharded::new(workers),
            failures: Sharded::new(workers),
            denied: Sharded::new(workers),
            tunnels: Sharded::new(workers),
        }
    }

    /// The route's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts a finished request: its status, the time from its head to the end of its response,
    /// and the bytes of both bodies.
    pub fn finished(
        &self,
        worker: usize,
        status: u16,
        took: Duration,
        request_bytes: u64,
        response_bytes: u64,
    ) {
        let traffic = self.traffic.of(worker);
        traffic.requests[CodeClass::of(status) as usize].add(1);
        traffic.duration.observe(took);
        traffic.request_bytes.add(request_bytes);
        traffic.response_bytes.add(response_bytes);
    }

    /// Counts why a request failed.
    pub fn failed(&self, worker: usize, failure: Failure) {
        self.failures.of(worker)[failure as usize].add(1);
    }

    /// Counts a request that may not use the route.
    pub fn denied(&self, worker: usize, by: DeniedBy) {
        self.denied.of(worker)[by as usize].add(1);
    }
}

/// The counts of a route over all workers.
#[derive(Default)]
struct RouteTotal {
    requests: ByClass<u64>,
    duration: HistogramTotal,
    request_bytes: u64,
    response_bytes: u64,
}

impl RouteTotal {
    /// Nothing if the route never finished a request.
    fn of(route: &RouteMetrics) -> Option<Self> {
        route.traffic.used().fold(None, |total: Option<Self>, part| {
            let mut total = total.unwrap_or_default();
            for (class, count) in total.requests.iter_mut().zip(&part.requests) {
                *class += count.get();
            }
            total.duration.add(&part.duration);
            total.request_bytes += part.request_bytes.get();
            total.response_bytes += part.response_bytes.get();
            Some(total)
        })
    }
}

/// What is counted of routes.
pub(super) fn families(page: &mut Exposition, routes: &[Arc<RouteMetrics>]) {
    let totals: Vec<_> =
        routes.iter().filter_map(|route| Some((route.name(), RouteTotal::of(route)?))).collect();
    let mut family = page.family(
        "tidegate_requests_total",
        Kind::Counter,
        "Finished requests by route and class of status code.",
    );
    for (name, total) in &totals {
        by_class(&mut family, &[("route", name)], &total.requests);
    }
    let mut family = page.family(
        "tidegate_request_duration_seconds",
        Kind::Histogram,
        "Time from a request's head to the end of its response.",
    );
    for (name, total) in &totals {
        histogram(&mut family, &[("route", name)], &total.duration);
    }
    let mut family = page.family(
        "tidegate_request_body_bytes_total",
        Kind::Counter,
        "Bytes of request bodies received.",
    );
    for (name, total) in &totals {
        family.sample(&[("route", name)], total.request_bytes);
    }
    let mut family = page.family(
        "tidegate_response_body_bytes_total",
        Kind::Counter,
        "Bytes of response bodies sent.",
    );
    for (name, total) in &totals {
        family.sample(&[("route", name)], total.response_bytes);
    }
    let mut family =
        page.family("tidegate_errors_total", Kind::Counter, "Failures by route and kind of error.");
    for route in routes {
        for &failure in Failure::ALL {
            let count = route.failures.sum(|counters| &counters[failure as usize]);
            if count > 0 {
                let labels = [("route", route.name()), ("error", failure.meaning().label)];
                family.sample(&labels, count);
            }
        }
    }
    let mut family = page.family(
        "tidegate_access_denied_total",
        Kind::Counter,
        "Requests that may not use their route, by the option that says so.",
    );
    for route in routes {
        for &by in DeniedBy::ALL {
            let count = route.denied.sum(|counters| &counters[by as usize]);
            if count > 0 {
                family.sample(&[("route", route.name()), ("by", by.label())], count);
            }
        }
    }
}
