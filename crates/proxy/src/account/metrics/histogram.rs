//! How long things take, in fixed buckets.

use std::time::Duration;

use crate::account::exposition::{Family, Label};
use crate::account::sharded::Counter;

/// Upper bounds of the buckets in nanoseconds, each with the text of its `le` label in seconds.
const BOUNDS: [(u64, &str); 16] = [
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
    (30_000_000_000, "30"),
    (60_000_000_000, "60"),
];

/// One worker's part of a latency histogram.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Each bucket without those below it; the last has no bound.
    buckets: [Counter; BOUNDS.len() + 1],
    nanoseconds: Counter,
}

impl Histogram {
    /// Counts one observation.
    pub(super) fn observe(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|&(bound, _)| bound < nanoseconds);
        self.buckets[bucket].add(1);
        self.nanoseconds.add(nanoseconds);
    }
}

/// A histogram added up over workers.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct HistogramTotal {
    /// Each bucket without those below it; the last has no bound.
    buckets: [u64; BOUNDS.len() + 1],
    /// Sum of all observations.
    seconds: f64,
}

impl HistogramTotal {
    /// Adds one worker's part.
    pub(super) fn add(&mut self, part: &Histogram) {
        for (total, bucket) in self.buckets.iter_mut().zip(&part.buckets) {
            *total += bucket.get();
        }
        self.seconds += Duration::from_nanos(part.nanoseconds.get()).as_secs_f64();
    }
}

/// One histogram as samples.
pub(super) fn histogram(family: &mut Family<'_>, labels: &[Label<'_>], total: &HistogramTotal) {
    let bounds = BOUNDS.iter().map(|&(_, text)| text);
    family.histogram(labels, bounds, &total.buckets, total.seconds);
}
