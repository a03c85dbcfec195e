//! What is counted of predictions.

use std::time::Duration;

use tidegate_core::predict::Fall;

use crate::account::sharded::SharedCounter;

/// Counts of one upstream's predictions. Any thread counts: it is of requests that wait, or rare.
#[derive(Debug, Default)]
pub struct PredictCounts {
    decisions: SharedCounter,
    deciding: SharedCounter,
    taken: SharedCounter,
    dropped: SharedCounter,
    falls: [SharedCounter; Fall::ALL.len()],
}

impl PredictCounts {
    /// Counts a request that must wait, of which it took so long to say what it costs.
    pub fn decided(&self, took: Duration) {
        self.decisions.add(1);
        self.deciding.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a sample that is told to the control plane.
    pub fn sampled(&self) {
        self.taken.add(1);
    }

    /// Counts a sample that is dropped.
    pub fn sample_dropped(&self) {
        self.dropped.add(1);
    }

    /// Counts that a model is not asked any more.
    pub fn fell(&self, why: Fall) {
        self.falls[why as usize].add(1);
    }

    /// Requests of which it was said what they cost.
    pub fn decisions(&self) -> u64 {
        self.decisions.get()
    }

    /// How long that took in all.
    pub fn deciding(&self) -> Duration {
        Duration::from_nanos(self.deciding.get())
    }

    /// Samples that were told.
    pub fn samples(&self) -> u64 {
        self.taken.get()
    }

    /// Samples that were dropped.
    pub fn samples_dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// How often a model was not asked any more for this reason.
    pub fn falls(&self, why: Fall) -> u64 {
        self.falls[why as usize].get()
    }
}
