//! A mean that says less the older it is.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::ewma::kept;
use crate::time::Moment;

/// A mean of what answers said, and of how many answers it is made: each weighs e^(−Δt/τ) after Δt.
///
/// Of answers that come in the same instant, one may be lost.
#[derive(Debug, Default)]
pub(super) struct Fading {
    /// Mean and number, as the bits of two `f32`; a number of 0: nothing is known.
    mean: AtomicU64,
    /// Moment of the latest answer.
    at: AtomicU64,
}

/// What is known at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// The mean.
    pub(crate) mean: f32,
    /// Of how many answers.
    pub(crate) answers: f32,
}

impl Fading {
    /// An answer at `now` said `value` and counts for so many; `decay` is τ, and the mean is made of `most` answers at
    /// most.
    pub(super) fn record(
        &self,
        value: f32,
        counts: f32,
        most: f32,
        now: Moment,
        decay: Duration,
    ) -> Sample {
        let Sample { mean, answers } = self.sample(now, decay);
        self.at.fetch_max(now.0, Relaxed);
        let answers = (answers + counts).min(most);
        let mean = mean + (value - mean) * counts / answers;
        let known = Sample { mean, answers };
        self.set(known);
        known
    }

    /// Let this be what the latest answer came to.
    pub(super) fn set(&self, known: Sample) {
        let packed = u64::from(known.mean.to_bits()) << 32 | u64::from(known.answers.to_bits());
        self.mean.store(packed, Relaxed);
    }

    /// What is known at `now`; `decay` is τ.
    pub(super) fn sample(&self, now: Moment, decay: Duration) -> Sample {
        let Sample { mean, answers } = self.latest();
        let idle = now.since(Moment(self.at.load(Relaxed)));
        Sample { mean, answers: answers * kept(idle, decay) as f32 }
    }

    /// What was known when the latest answer came.
    pub(super) fn latest(&self) -> Sample {
        let packed = self.mean.load(Relaxed);
        let (mean, answers) = ((packed >> 32) as u32, packed as u32);
        Sample { mean: f32::from_bits(mean), answers: f32::from_bits(answers) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);
    const MOST: f32 = 100.0;

    fn seconds(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    #[test]
    fn nothing_is_known_before_the_first_answer() {
        assert_eq!(Fading::default().sample(seconds(1), DECAY).answers, 0.0);
    }

    #[test]
    fn an_answer_counts_for_as_many_as_is_said() {
        let fading = Fading::default();
        fading.record(1.0, 1.0, MOST, seconds(1), DECAY);
        let known = fading.record(5.0, 3.0, MOST, seconds(1), DECAY);
        assert_eq!(known, Sample { mean: 4.0, answers: 4.0 });
    }

    #[test]
    fn the_past_fades_and_with_it_what_is_known() {
        let fading = Fading::default();
        (0..500).for_each(|_| _ = fading.record(-2.0, 1.0, MOST, seconds(1), DECAY));
        assert_eq!(fading.sample(seconds(1), DECAY).answers, MOST);
        assert!((fading.sample(seconds(11), DECAY).answers - MOST / 1f32.exp()).abs() < 1e-3);
        assert_eq!(fading.latest().answers, MOST);
        (0..500).for_each(|_| _ = fading.record(0.0, 1.0, MOST, seconds(11), DECAY));
        assert!(fading.sample(seconds(11), DECAY).mean.abs() < 0.05);
    }
}
