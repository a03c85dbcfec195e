//! What is counted of predictions.

use tidegate_core::predict::Fall;

use crate::account::sharded::SharedCounter;

/// Counts of one upstream's predictions. Any thread counts: each of these is rare.
#[derive(Debug, Default)]
pub struct PredictCounts {
    taken: SharedCounter,
    dropped: SharedCounter,
    falls: [SharedCounter; Fall::ALL.len()],
}

impl PredictCounts {
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
