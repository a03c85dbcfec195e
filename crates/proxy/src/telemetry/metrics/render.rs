//! All metrics as one page of text.
//!
//! Series of a route or an endpoint appear with its first request; those of listeners, upstreams
//! and workers are always there.

use std::sync::Arc;

use tidegate_core::failure::Failure;
use tidegate_core::health::State;
use tidegate_core::plan::Priority;
use tidegate_core::retry::Reason;

use super::handles::{
    ByClass, CodeClass, EndpointMetrics, EndpointState, ListenerTraffic, RouteMetrics, SHED,
    UpstreamState, UpstreamTraffic,
};
use super::histogram::{BOUNDS, HistogramTotal};
use super::registry::Metrics;
use crate::telemetry::exposition::Kind::{self, Counter, Gauge};
use crate::telemetry::exposition::{Exposition, Family};
use crate::telemetry::sharded;

/// Picks one of a listener's counters.
type ListenerCounter = fn(&ListenerTraffic) -> &sharded::Counter;
/// Picks one of an upstream's counters.
type UpstreamCounter = fn(&UpstreamTraffic) -> &sharded::Counter;

impl Metrics {
    /// Writes all metrics in the Prometheus text format 0.0.4.
    ///
    /// `state` looks up how an endpoint is now, by upstream and address, `upstream` how an upstream is; `access_log_dropped` is
    /// [`AccessLog::dropped`](crate::telemetry::access_log::AccessLog::dropped).
    pub fn render(
        &self,
        state: impl Fn(&str, &str) -> Option<EndpointState>,
        upstream: impl Fn(&str) -> Option<UpstreamState>,
        access_log_dropped: u64,
    ) -> String {
        let mut page = Exposition::default();
        self.render_routes(&mut page);
        self.render_upstreams(&mut page);
        self.render_admission(&mut page, upstream);
        self.render_endpoints(&mut page, state);
        self.render_listeners(&mut page);
        self.render_workers(&mut page);
        page.family(
            "tidegate_access_log_dropped_lines_total",
            Counter,
            "Lines lost because they came faster than they could be written.",
        )
        .sample(&[], access_log_dropped);
        page.into_text()
    }

    fn render_routes(&self, page: &mut Exposition) {
        let mut routes = vec![(String::new(), self.unrouted.clone())];
        routes.extend(self.routes.held());
        let totals: Vec<_> = routes
            .iter()
            .filter_map(|(name, route)| Some((name.as_str(), RouteTotal::of(route)?)))
            .collect();

        let mut family = page.family(
            "tidegate_requests_total",
            Counter,
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
            histogram(&mut family, ("route", name), &total.duration);
        }
        let mut family = page.family(
            "tidegate_request_body_bytes_total",
            Counter,
            "Bytes of request bodies received.",
        );
        for (name, total) in &totals {
            family.sample(&[("route", name)], total.request_bytes);
        }
        let mut family = page.family(
            "tidegate_response_body_bytes_total",
            Counter,
            "Bytes of response bodies sent.",
        );
        for (name, total) in &totals {
            family.sample(&[("route", name)], total.response_bytes);
        }
        let mut family =
            page.family("tidegate_errors_total", Counter, "Failures by route and kind of error.");
        for (name, route) in &routes {
            for failure in Failure::ALL {
                let count = route.failures.sum(|counters| &counters[failure as usize]);
                if count > 0 {
                    let labels = [("route", name.as_str()), ("error", failure.meaning().label)];
                    family.sample(&labels, count);
                }
            }
        }
    }

    fn render_upstreams(&self, page: &mut Exposition) {
        let upstreams = self.upstreams.held();
        let mut family = page.family(
            "tidegate_upstream_response_head_seconds",
            Kind::Histogram,
            "Time from sending a request to the head of its response.",
        );
        for (name, upstream) in &upstreams {
            histogram(&mut family, ("upstream", name), &upstream.total(|part| &part.response_head));
        }
        let mut family = page.family(
            "tidegate_upstream_retries_total",
            Counter,
            "Tries after the first, by what came of the one before.",
        );
        for (name, upstream) in &upstreams {
            for reason in Reason::ALL {
                let retries = upstream.traffic.sum(|part| &part.retries[reason.index()]);
                family.sample(&[("upstream", name), ("reason", reason.label())], retries);
            }
        }
        let mut counter = |name, help, counter: UpstreamCounter| {
            let mut family = page.family(name, Counter, help);
            for (name, upstream) in &upstreams {
                family.sample(&[("upstream", name)], upstream.traffic.sum(counter));
            }
        };
        counter(
            "tidegate_upstream_retries_denied_total",
            "Tries that were not made because the retry budget was spent.",
            |part| &part.retries_denied,
        );
        counter("tidegate_upstream_hedges_total", "Tries beside another.", |part| &part.hedges);
        counter(
            "tidegate_upstream_hedges_won_total",
            "Tries beside another that were answered first.",
            |part| &part.hedges_won,
        );
        self.render_health(page);
    }

    fn render_health(&self, page: &mut Exposition) {
        let upstreams = self.upstreams.held();
        let mut family = page.family(
            "tidegate_health_checks_total",
            Counter,
            "Health checks of an upstream's endpoints by result.",
        );
        for (name, upstream) in &upstreams {
            let checks = &upstream.checks;
            for (result, count) in [("passed", &checks.passed), ("failed", &checks.failed)] {
                family.sample(&[("upstream", name), ("result", result)], count.get());
            }
        }
        let mut family = page.family(
            "tidegate_health_check_seconds",
            Kind::Histogram,
            "Time that a health check took.",
        );
        for (name, upstream) in &upstreams {
            let mut total = HistogramTotal::default();
            total.add(&upstream.checks.duration);
            histogram(&mut family, ("upstream", name), &total);
        }
        let mut family = page.family(
            "tidegate_health_changes_total",
            Counter,
            "Changes of an endpoint's health by the state that it is in since.",
        );
        for (name, upstream) in &upstreams {
            for state in State::ALL {
                let count = upstream.health_changes[state as usize].get();
                family.sample(&[("upstream", name), ("state", state.label())], count);
            }
        }
    }

    fn render_admission(
        &self,
        page: &mut Exposition,
        state: impl Fn(&str) -> Option<UpstreamState>,
    ) {
        let upstreams = self.upstreams.held();
        let mut family = page.family(
            "tidegate_upstream_queue_seconds",
            Kind::Histogram,
            "Time that requests waited for admission, of those that were not let in at once.",
        );
        for (name, upstream) in &upstreams {
            histogram(&mut family, ("upstream", name), &upstream.total(|part| &part.queue_wait));
        }
        let mut family = page.family(
            "tidegate_upstream_shed_total",
            Counter,
            "Requests turned away at admission, by class and reason.",
        );
        for (name, upstream) in &upstreams {
            for (class, (reason, failure)) in Priority::ALL
                .iter()
                .flat_map(|class| SHED.iter().enumerate().map(move |r| (class, r)))
            {
                let shed = upstream.traffic.sum(|part| &part.shed[*class as usize][reason]);
                let labels = [
                    ("upstream", name.as_str()),
                    ("class", class.label()),
                    ("reason", failure.meaning().label),
                ];
                family.sample(&labels, shed);
            }
        }
        let states: Vec<_> =
            upstreams.iter().filter_map(|(name, _)| Some((name.as_str(), state(name)?))).collect();
        let mut gauge = |name, help, value: fn(&UpstreamState) -> Option<u32>| {
            let mut family = page.family(name, Gauge, help);
            for (upstream, state) in &states {
                if let Some(value) = value(state) {
                    family.sample(&[("upstream", upstream)], value);
                }
            }
        };
        gauge(
            "tidegate_upstream_requests_in_flight",
            "Requests admitted and not finished.",
            |state| Some(state.in_flight),
        );
        gauge(
            "tidegate_upstream_requests_limit",
            "Requests that may be in flight; absent where as many as come.",
            |state| state.limit,
        );
        gauge("tidegate_upstream_requests_queued", "Requests that wait for admission.", |state| {
            Some(state.queued)
        });
    }

    fn render_endpoints(
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
            Counter,
            "Responses by endpoint and class of status code.",
        );
        for ((upstream, endpoint), metrics) in &used {
            let labels = [("upstream", upstream.as_str()), ("endpoint", endpoint.as_str())];
            by_class(&mut family, &labels, &responses(metrics));
        }
        let mut family = page.family(
            "tidegate_endpoint_connects_total",
            Counter,
            "Attempts to connect to an endpoint.",
        );
        for ((upstream, endpoint), metrics) in &used {
            let connects = metrics.traffic.sum(|part| &part.connects);
            family.sample(&[("upstream", upstream), ("endpoint", endpoint)], connects);
        }
        let mut family = page.family(
            "tidegate_endpoint_connect_failures_total",
            Counter,
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
            Gauge,
            "Requests sent to an endpoint and not finished.",
        );
        for (labels, state) in &states {
            family.sample(labels, state.in_flight);
        }
        let mut family = page.family(
            "tidegate_endpoint_available",
            Gauge,
            "Whether an endpoint may get new requests (1) or not (0).",
        );
        for (labels, state) in &states {
            family.sample(labels, u8::from(state.available));
        }
    }

    fn render_listeners(&self, page: &mut Exposition) {
        let listeners = self.listeners.held();
        let mut counter = |name, help, counter: ListenerCounter| {
            let mut family = page.family(name, Counter, help);
            for (name, listener) in &listeners {
                family.sample(&[("listener", name)], listener.traffic.sum(counter));
            }
        };
        counter("tidegate_listener_connections_total", "Connections accepted.", |part| {
            &part.accepted
        });
        counter(
            "tidegate_listener_connections_refused_total",
            "Connections turned away because a limit was reached.",
            |part| &part.refused,
        );
        counter(
            "tidegate_listener_request_body_bytes_total",
            "Bytes of request bodies received.",
            |part| &part.request_bytes,
        );
        counter(
            "tidegate_listener_response_body_bytes_total",
            "Bytes of response bodies sent.",
            |part| &part.response_bytes,
        );
        let mut family = page.family(
            "tidegate_listener_open_connections",
            Gauge,
            "Connections that are open now.",
        );
        for (name, listener) in &listeners {
            let closed = listener.traffic.sum(|part| &part.closed);
            let open = listener.traffic.sum(|part| &part.accepted).saturating_sub(closed);
            family.sample(&[("listener", name)], open);
        }
        let mut family = page.family(
            "tidegate_listener_tls_handshakes_total",
            Counter,
            "TLS handshakes by result: full, resumed or failed.",
        );
        let results: [(&str, ListenerCounter); 3] = [
            ("full", |part| &part.handshakes),
            ("resumed", |part| &part.resumed),
            ("failed", |part| &part.handshake_failures),
        ];
        for (name, listener) in &listeners {
            for (result, counter) in results {
                let labels = [("listener", name.as_str()), ("result", result)];
                family.sample(&labels, listener.traffic.sum(counter));
            }
        }
    }

    fn render_workers(&self, page: &mut Exposition) {
        let labels: Vec<_> = (0..self.workers.len()).map(|index| index.to_string()).collect();
        let workers = || labels.iter().map(String::as_str).zip(&self.workers);
        let runtimes: Vec<_> = workers()
            .filter_map(|(label, worker)| Some((label, worker.runtime.lock().clone()?)))
            .collect();
        let mut family = page.family(
            "tidegate_worker_busy_seconds_total",
            Counter,
            "Time a worker did not wait; its rate is the busy share of a processor.",
        );
        for (label, runtime) in &runtimes {
            let busy = runtime.worker_total_busy_duration(0).as_secs_f64();
            family.sample(&[("worker", label)], busy);
        }
        let mut family = page.family(
            "tidegate_worker_loops_total",
            Counter,
            "Times a worker waited for events; busy seconds by loops is the mean time of a loop.",
        );
        for (label, runtime) in &runtimes {
            family.sample(&[("worker", label)], runtime.worker_park_count(0));
        }
        let mut family = page.family(
            "tidegate_worker_tasks",
            Gauge,
            "Tasks of a worker: about one for each connection.",
        );
        for (label, runtime) in &runtimes {
            family.sample(&[("worker", label)], runtime.num_alive_tasks());
        }
        let mut family =
            page.family("tidegate_worker_panics_total", Counter, "Tasks that panicked.");
        for (label, worker) in workers() {
            family.sample(&[("worker", label)], worker.panics.get());
        }
        let mut family = page.family(
            "tidegate_worker_restarts_total",
            Counter,
            "Starts of a worker after a fault.",
        );
        for (label, worker) in workers() {
            family.sample(&[("worker", label)], worker.restarts.get());
        }
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
    fn of(route: &Arc<RouteMetrics>) -> Option<Self> {
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

fn responses(endpoint: &Arc<EndpointMetrics>) -> ByClass<u64> {
    std::array::from_fn(|class| endpoint.traffic.sum(|part| &part.requests[class]))
}

fn by_class(family: &mut Family<'_>, labels: &[(&str, &str)], counts: &ByClass<u64>) {
    for (class, count) in CodeClass::LABELS.iter().zip(counts) {
        let mut labels = labels.to_vec();
        labels.push(("code", class));
        family.sample(&labels, count);
    }
}

fn histogram(family: &mut Family<'_>, label: (&str, &str), total: &HistogramTotal) {
    let bounds = BOUNDS.iter().map(|&(_, text)| text);
    family.histogram(&[label], bounds, &total.buckets, total.seconds);
}
