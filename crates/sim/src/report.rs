//! What came out of a run.

use hdrhistogram::Histogram;
use serde::Serialize;

const MICROSECOND: u64 = 1_000;
const HOUR: u64 = 3_600_000_000_000;
const MILLISECOND: f64 = 1e6;

/// What came out of a run: of the requests that arrived in the time that is counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Requests that were answered well.
    pub answered: u64,
    /// Requests that failed, all tries together.
    pub failed: u64,
    /// Requests of which no word ever came.
    pub unanswered: u64,
    /// Tries that were sent.
    pub tries: u64,
    /// From arrival to answer, of the requests that were answered well.
    pub latency: Latency,
    /// The same by class of request.
    pub classes: Vec<Latency>,
    /// Requests that failed, by class.
    pub class_failed: Vec<u64>,
    /// Mean time in the servers' queues, in milliseconds.
    pub waiting: f64,
    /// What each server did.
    pub servers: Vec<Usage>,
    /// All requests that were simulated, warm-up included.
    pub simulated: u64,
    /// Seconds from the beginning of the warm-up until a gateway first turned its predictions off, because they did harm;
    /// absent: none did.
    pub predictions_off_after: Option<f64>,
}

/// Latencies in milliseconds. Quantiles are exact to a thousandth of their value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// Requests.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// Of 90 %.
    pub p90: f64,
    /// Of 99 %.
    pub p99: f64,
    /// Of 99.9 %.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// What a server did in the time that is counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    /// Requests that reached it.
    pub requests: u64,
    /// Share of its workers' time that was spent on requests.
    pub busy: f64,
}

/// Latencies as they are recorded.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    histogram: Histogram<u64>,
    sum: f64,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        match Histogram::new_with_bounds(MICROSECOND, HOUR, 3) {
            Ok(histogram) => Self { histogram, sum: 0.0 },
            Err(error) => unreachable!("a histogram takes these bounds: {error}"),
        }
    }

    pub(crate) fn record(&mut self, latency: u64) {
        self.histogram.saturating_record(latency);
        self.sum += latency as f64;
    }

    pub(crate) fn latency(&self) -> Latency {
        let count = self.histogram.len();
        let quantile = |q| self.histogram.value_at_quantile(q) as f64 / MILLISECOND;
        Latency {
            count,
            mean: self.sum / count.max(1) as f64 / MILLISECOND,
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: self.histogram.max() as f64 / MILLISECOND,
        }
    }
}

/// Nanoseconds as milliseconds.
pub(crate) fn millis(nanos: f64) -> f64 {
    nanos / MILLISECOND
}
