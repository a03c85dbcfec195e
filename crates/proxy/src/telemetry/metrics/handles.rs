//! The handles: what a worker holds to count with.

use std::time::Duration;

use parking_lot::Mutex;
use tidegate_core::failure::Failure;
use tidegate_core::health::State;
use tidegate_core::plan::Priority;
use tidegate_core::retry::Reason;
use tokio::runtime::RuntimeMetrics;

use super::histogram::{Histogram, HistogramTotal};
use crate::telemetry::sharded::{Counter, Sharded, SharedCounter};

/// The first digit of a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeClass {
    /// 100 to 199; as a final answer only 101.
    Informational,
    /// 200 to 299.
    Success,
    /// 300 to 399.
    Redirection,
    /// 400 to 499.
    ClientError,
    /// 500 and above.
    ServerError,
}

impl CodeClass {
    /// Values of the label `code`, in the order of the variants.
    pub(super) const LABELS: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    /// The class of a status code.
    pub fn of(status: u16) -> Self {
        match status {
            0..200 => Self::Informational,
            200..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}

/// Counts by class of status code.
pub(super) type ByClass<T> = [T; CodeClass::LABELS.len()];

/// Counts of one route; those of requests that no route took have the empty name.
#[derive(Debug)]
pub struct RouteMetrics {
    pub(super) traffic: Sharded<RouteTraffic>,
    /// Apart, because most routes never fail.
    pub(super) failures: Sharded<[Counter; Failure::ALL.len()]>,
}

#[derive(Debug, Default)]
pub(super) struct RouteTraffic {
    pub(super) requests: ByClass<Counter>,
    pub(super) duration: Histogram,
    pub(super) request_bytes: Counter,
    pub(super) response_bytes: Counter,
}

impl RouteMetrics {
    pub(super) fn new(workers: usize) -> Self {
        Self { traffic: Sharded::new(workers), failures: Sharded::new(workers) }
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
}

/// Counts of one upstream.
#[derive(Debug)]
pub struct UpstreamMetrics {
    pub(super) traffic: Sharded<UpstreamTraffic>,
    /// Counted by the one thread that checks.
    pub(super) checks: CheckCounts,
    /// Changes of an endpoint's health, by the state it is in since.
    pub(super) health_changes: [SharedCounter; State::ALL.len()],
}

#[derive(Debug, Default)]
pub(super) struct CheckCounts {
    pub(super) passed: Counter,
    pub(super) failed: Counter,
    pub(super) duration: Histogram,
}

#[derive(Debug, Default)]
pub(super) struct UpstreamTraffic {
    pub(super) response_head: Histogram,
    pub(super) retries: [Counter; Reason::ALL.len()],
    pub(super) retries_denied: Counter,
    pub(super) hedges: Counter,
    pub(super) hedges_won: Counter,
    pub(super) queue_wait: Histogram,
    /// By class and by reason.
    pub(super) shed: [[Counter; SHED.len()]; Priority::ALL.len()],
}

/// Why a request was turned away that waited, or would have had to.
pub(super) const SHED: [Failure; 3] =
    [Failure::Overloaded, Failure::QueueFull, Failure::QueueTimeout];

impl UpstreamMetrics {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            traffic: Sharded::new(workers),
            checks: CheckCounts::default(),
            health_changes: Default::default(),
        }
    }

    /// Counts a health check of one of its endpoints.
    pub fn checked(&self, passed: bool, took: Duration) {
        if passed {
            self.checks.passed.add(1)
        } else {
            self.checks.failed.add(1)
        }
        self.checks.duration.observe(took);
    }

    /// Counts a change of an endpoint's health.
    pub fn health_changed(&self, to: State) {
        self.health_changes[to as usize].add(1);
    }

    /// Counts the time from a request sent to its response's head.
    pub fn response_head(&self, worker: usize, took: Duration) {
        self.traffic.of(worker).response_head.observe(took);
    }

    /// Counts a try after the first, and why it is made.
    pub fn retried(&self, worker: usize, reason: Reason) {
        self.traffic.of(worker).retries[reason.index()].add(1);
    }

    /// Counts a try that the budget did not allow.
    pub fn retry_denied(&self, worker: usize) {
        self.traffic.of(worker).retries_denied.add(1);
    }

    /// Counts a try beside another.
    pub fn hedged(&self, worker: usize) {
        self.traffic.of(worker).hedges.add(1);
    }

    /// Counts a try beside another that was answered first.
    pub fn hedge_won(&self, worker: usize) {
        self.traffic.of(worker).hedges_won.add(1);
    }

    /// Counts the wait for admission of a request that was not let in at once, and how it failed.
    pub fn queued(&self, worker: usize, took: Duration, class: Priority, failed: Option<Failure>) {
        let traffic = self.traffic.of(worker);
        traffic.queue_wait.observe(took);
        if let Some(reason) = SHED.iter().position(|reason| Some(*reason) == failed) {
            traffic.shed[class as usize][reason].add(1);
        }
    }

    /// Adds one of the histograms up.
    pub(super) fn total(
        &self,
        histogram: impl Fn(&UpstreamTraffic) -> &Histogram,
    ) -> HistogramTotal {
        let mut total = HistogramTotal::default();
        self.traffic.used().for_each(|part| total.add(histogram(part)));
        total
    }
}

/// Counts of one endpoint of one upstream.
#[derive(Debug)]
pub struct EndpointMetrics {
    pub(super) traffic: Sharded<EndpointTraffic>,
}

#[derive(Debug, Default)]
pub(super) struct EndpointTraffic {
    pub(super) requests: ByClass<Counter>,
    pub(super) connects: Counter,
    pub(super) connect_failures: Counter,
}

impl EndpointMetrics {
    pub(super) fn new(workers: usize) -> Self {
        Self { traffic: Sharded::new(workers) }
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

/// How an upstream is at this moment; read from its admission when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamState {
    /// Requests admitted and not finished, over all workers.
    pub in_flight: u32,
    /// How many may be; `None`: as many as come.
    pub limit: Option<u32>,
    /// Requests that wait.
    pub queued: u32,
}

/// How an endpoint is at this moment; read from the balancer's own state when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointState {
    /// Requests sent and not finished, over all workers.
    pub in_flight: u64,
    /// Whether it may get new requests.
    pub available: bool,
}

/// Counts of one listener.
#[derive(Debug)]
pub struct ListenerMetrics {
    pub(super) traffic: Sharded<ListenerTraffic>,
}

#[derive(Debug, Default)]
pub(super) struct ListenerTraffic {
    pub(super) accepted: Counter,
    pub(super) closed: Counter,
    pub(super) refused: Counter,
    pub(super) handshakes: Counter,
    pub(super) resumed: Counter,
    pub(super) handshake_failures: Counter,
    pub(super) request_bytes: Counter,
    pub(super) response_bytes: Counter,
}

impl ListenerMetrics {
    pub(super) fn new(workers: usize) -> Self {
        Self { traffic: Sharded::new(workers) }
    }

    /// Counts a connection that is served from now on.
    pub fn accepted(&self, worker: usize) {
        self.traffic.of(worker).accepted.add(1);
    }

    /// Counts the end of an accepted connection.
    pub fn closed(&self, worker: usize) {
        self.traffic.of(worker).closed.add(1);
    }

    /// Counts a connection that was turned away because a limit was reached.
    pub fn refused(&self, worker: usize) {
        self.traffic.of(worker).refused.add(1);
    }

    /// Counts a TLS handshake that succeeded.
    pub fn handshake(&self, worker: usize, resumed: bool) {
        let traffic = self.traffic.of(worker);
        if resumed { traffic.resumed.add(1) } else { traffic.handshakes.add(1) }
    }

    /// Counts a TLS handshake that did not succeed.
    pub fn handshake_failed(&self, worker: usize) {
        self.traffic.of(worker).handshake_failures.add(1);
    }

    /// Counts the bytes of a finished request's body and of its response's.
    pub fn transferred(&self, worker: usize, request_bytes: u64, response_bytes: u64) {
        let traffic = self.traffic.of(worker);
        traffic.request_bytes.add(request_bytes);
        traffic.response_bytes.add(response_bytes);
    }
}

/// Counts of one worker, and its runtime's own figures.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    pub(super) panics: Counter,
    pub(super) restarts: Counter,
    pub(super) runtime: Mutex<Option<RuntimeMetrics>>,
}

impl WorkerMetrics {
    /// Reads the worker's load from `runtime`, which counts it anyway; called by each worker when
    /// it starts (`Handle::current().metrics()`).
    pub fn watch(&self, runtime: RuntimeMetrics) {
        *self.runtime.lock() = Some(runtime);
    }

    /// Counts a task that panicked.
    pub fn panicked(&self) {
        self.panics.add(1);
    }

    /// Counts a new start of the worker after a fault.
    pub fn restarted(&self) {
        self.restarts.add(1);
    }
}
