//! Samples of requests, which models learn from: taken by workers, told to the control plane from time to time.
//!
//! A sample is numbers alone: what a model would be told of the request, and what it cost. What does not fit is dropped
//! and counted; no request waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tidegate_core::predict::features::{COUNT, Features};

use super::metrics::UpstreamMetrics;
use crate::net::clock;

/// Samples that may wait in one worker's mailbox.
const CAPACITY: usize = 1_024;
/// Samples that are told at once …
const TOLD: usize = 1_000;
/// … no more often than this.
pub const EVERY: Duration = Duration::from_secs(1);

/// The samples that were taken and not told yet.
#[derive(Debug)]
pub struct Samples {
    /// Of each worker.
    mailboxes: Box<[Mutex<Mailbox>]>,
    told: Mutex<Option<Instant>>,
}

/// One worker's samples, each with its upstream.
type Mailbox = Vec<(Arc<UpstreamMetrics>, Sample)>;

/// A request that is over, as a row: the time, the cost in seconds, its weight, and its features.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Seconds since 1970.
    pub time: f64,
    /// How long it kept a worker, ÷ the endpoint's pace.
    pub cost: Duration,
    /// How many requests it stands for: slow ones are all sampled, and of the others only a share.
    pub weight: f32,
    /// What a model would have been told of it.
    pub features: Features,
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(COUNT + 3))?;
        row.serialize_element(&self.time)?;
        row.serialize_element(&self.cost.as_secs_f32())?;
        row.serialize_element(&self.weight)?;
        self.features.iter().try_for_each(|feature| row.serialize_element(feature))?;
        row.end()
    }
}

impl Samples {
    /// Of so many workers.
    pub fn new(workers: usize) -> Self {
        Self { mailboxes: (0..workers).map(|_| Mutex::default()).collect(), told: Mutex::default() }
    }

    /// A request of this upstream is over that had these features, and stands for so many.
    pub fn put(
        &self,
        worker: usize,
        upstream: &Arc<UpstreamMetrics>,
        features: Features,
        cost: Duration,
        weight: f32,
    ) {
        let mut mailbox = self.mailboxes[worker].lock();
        if mailbox.len() < CAPACITY {
            let time = clock::unix_nanos() as f64 / 1e9;
            mailbox.push((upstream.clone(), Sample { time, cost, weight, features }));
        } else {
            upstream.predict.sample_dropped();
        }
    }

    /// What is to be told now, by upstream: nothing where that was done within the last second.
    pub fn take(&self, now: Instant) -> BTreeMap<String, Vec<Sample>> {
        let mut told = self.told.lock();
        if told.is_some_and(|told| now.saturating_duration_since(told) < EVERY) {
            return BTreeMap::new();
        }
        let mut rows = BTreeMap::<String, Vec<Sample>>::new();
        let mut count = 0;
        for mailbox in &self.mailboxes {
            for (upstream, sample) in std::mem::take(&mut *mailbox.lock()) {
                count += 1;
                if count > TOLD {
                    upstream.predict.sample_dropped();
                } else {
                    upstream.predict.sampled();
                    rows.entry(upstream.name().to_owned()).or_default().push(sample);
                }
            }
        }
        if count > 0 {
            *told = Some(now);
        }
        rows
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::metrics::Metrics;
    use super::*;

    const FEATURES: Features = [0.5; COUNT];
    const COST: Duration = Duration::from_millis(250);

    fn counted(taken: &BTreeMap<String, Vec<Sample>>) -> Vec<(&str, usize)> {
        taken.iter().map(|(upstream, rows)| (upstream.as_str(), rows.len())).collect()
    }

    #[test]
    fn samples_are_told_by_upstream_at_most_once_a_second() {
        let (samples, metrics, now) = (Samples::new(2), Metrics::new(2), Instant::now());
        let [app, shop] = ["app", "shop"].map(|name| metrics.upstream(name));
        samples.put(0, &app, FEATURES, COST, 1.0);
        samples.put(1, &app, FEATURES, COST, 1.0);
        samples.put(1, &shop, FEATURES, COST, 1.0);
        assert_eq!(counted(&samples.take(now)), [("app", 2), ("shop", 1)]);
        samples.put(0, &app, FEATURES, COST, 1.0);
        assert_eq!(counted(&samples.take(now + EVERY / 2)), []);
        assert_eq!(counted(&samples.take(now + EVERY)), [("app", 1)]);
        assert_eq!(counted(&samples.take(now + 2 * EVERY)), []);
    }

    #[test]
    fn what_is_not_taken_or_too_much_is_dropped_and_counted() {
        let (samples, metrics, now) = (Samples::new(2), Metrics::new(2), Instant::now());
        let app = metrics.upstream("app");
        (0..2 * CAPACITY).for_each(|_| samples.put(0, &app, FEATURES, COST, 1.0));
        samples.put(1, &app, FEATURES, COST, 1.0);
        assert_eq!(counted(&samples.take(now)), [("app", TOLD)]);
        let (taken, dropped) = (app.predict.samples(), app.predict.samples_dropped());
        assert_eq!((taken, dropped), (TOLD as u64, (2 * CAPACITY + 1 - TOLD) as u64));
    }

    #[test]
    fn a_row_is_the_time_the_cost_the_weight_and_the_features() {
        let sample = Sample { time: 1.5, cost: COST, weight: 100.0, features: FEATURES };
        let row: Vec<f64> = serde_json::from_str(&serde_json::to_string(&sample).unwrap()).unwrap();
        assert_eq!((row.len(), &row[..4]), (COUNT + 3, &[1.5, 0.25, 100.0, 0.5][..]));
    }
}
