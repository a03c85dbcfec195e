//! What was seen of the costs of one kind of requests.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerocopy::{FromZeros, KnownLayout};

use crate::time::Moment;

/// Answers that a mean is made of at most: beyond, the latest counts as one of so many …
const MEAN_OF: f32 = 128.0;
/// … and answers that are counted at most.
const MOST: f32 = 4_096.0;
/// Bits of a moment that a node leaves out: it tells time in 1.07 s.
const TICK: u32 = 30;
/// After so many ticks (about a minute) without an answer those before count half.
const HALVED: u32 = 64;
/// A parent counts as much as so many of a node's own answers.
const SHRINKAGE: f32 = 8.0;

/// What a request is expected to cost: a lognormal distribution, as its logarithm's mean and variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Mean natural logarithm of the seconds.
    pub mean: f32,
    /// Variance of the logarithm.
    pub variance: f32,
    /// Of how many answers, of late; 0: nothing is known.
    pub answers: f32,
}

impl Estimate {
    /// Whether there can be such a distribution.
    pub(super) fn is_possible(&self) -> bool {
        self.mean.is_finite()
            && self.variance.is_finite()
            && self.variance >= 0.0
            && self.answers >= 0.0
    }

    /// The expected cost.
    pub fn cost(&self) -> Duration {
        power(self.expected())
    }

    /// The logarithm of the expected cost: that of a lognormal distribution's mean.
    pub(super) fn expected(&self) -> f32 {
        self.mean + self.variance / 2.0
    }

    /// The logarithm of the cost that a part of the requests stays below, so many standard deviations above the median.
    pub(super) fn quantile(&self, deviations: f32) -> f32 {
        self.mean + deviations * self.variance.sqrt()
    }

    /// This node's own estimate, drawn towards that of its `parent` (the shrinkage of James and Stein, with a
    /// weight that does not depend on the variances).
    pub(super) fn below(self, parent: Self) -> Self {
        let own = self.answers / (self.answers + SHRINKAGE);
        let between = |parent: f32, value: f32| parent + own * (value - parent);
        Self {
            mean: between(parent.mean, self.mean),
            variance: between(parent.variance, self.variance),
            answers: parent.answers.max(self.answers),
        }
    }
}

/// The time of this logarithm of seconds; none where there is no such time.
pub(super) fn power(logarithm: f32) -> Duration {
    Duration::try_from_secs_f32(logarithm.exp()).unwrap_or_default()
}

/// The logarithm of the seconds of a time, a nanosecond at least.
pub(super) fn logarithm(time: Duration) -> f32 {
    time.as_secs_f32().max(1e-9).ln()
}

/// One node of the tree. Of answers that come in the same instant, one may be lost.
#[derive(Debug, Default, FromZeros, KnownLayout)]
pub(super) struct Node {
    /// Mean and variance of the logarithm, as the bits of two `f32`.
    moments: AtomicU64,
    /// Number of answers (the bits of an `f32`) and the tick of the latest.
    weight: AtomicU64,
}

impl Node {
    /// What is known at `now`.
    pub(super) fn estimate(&self, now: Moment) -> Estimate {
        let (mean, variance) = unpack(self.moments.load(Relaxed));
        let (answers, idle) = self.weight(now);
        Estimate {
            mean: f32::from_bits(mean),
            variance: f32::from_bits(variance),
            answers: answers * halved(idle / HALVED),
        }
    }

    /// Take in an answer: the `logarithm` of its cost in seconds. Answers with what was known before.
    pub(super) fn record(&self, logarithm: f32, now: Moment) -> Estimate {
        let before = self.estimate(now);
        let answers = (before.answers + 1.0).min(MOST);
        let latest = 1.0 / answers.min(MEAN_OF);
        let apart = logarithm - before.mean;
        let mean = before.mean + apart * latest;
        let variance = (1.0 - latest) * (before.variance + apart * apart * latest);
        self.moments.store(pack(mean.to_bits(), variance.to_bits()), Relaxed);
        self.weight.store(pack(answers.to_bits(), tick(now)), Relaxed);
        before
    }

    /// Go on from this estimate, as if it was made `now`.
    pub(super) fn restore(&self, known: &Estimate, now: Moment) {
        let Estimate { mean, variance, answers } = *known;
        self.moments.store(pack(mean.to_bits(), variance.to_bits()), Relaxed);
        self.weight.store(pack(answers.min(MOST).to_bits(), tick(now)), Relaxed);
    }

    /// What is lost with it, where it can be spared: it got nothing for a minute, or one answer and then none for a
    /// second.
    pub(super) fn worth(&self, now: Moment) -> Option<f32> {
        let (answers, idle) = self.weight(now);
        let spare = idle >= HALVED || (answers < 2.0 && idle > 1);
        spare.then(|| answers * halved(idle / HALVED))
    }

    /// Forget all.
    pub(super) fn reset(&self) {
        self.weight.store(0, Relaxed);
        self.moments.store(0, Relaxed);
    }

    /// The number of answers when the latest came, and how many ticks ago that was.
    fn weight(&self, now: Moment) -> (f32, u32) {
        let (answers, at) = unpack(self.weight.load(Relaxed));
        (f32::from_bits(answers), tick(now).saturating_sub(at))
    }
}

fn tick(now: Moment) -> u32 {
    (now.0 >> TICK) as u32
}

/// 2⁻ⁿ.
fn halved(times: u32) -> f32 {
    f32::from_bits(127_u32.saturating_sub(times) << 23)
}

fn pack(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn unpack(packed: u64) -> (u32, u32) {
    ((packed >> 32) as u32, packed as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Estimate = Estimate { mean: 0.0, variance: 0.0, answers: 0.0 };

    fn minutes(minutes: u64) -> Moment {
        Moment((minutes * u64::from(HALVED)) << TICK)
    }

    #[test]
    fn mean_and_variance_follow_the_answers() {
        let node = Node::default();
        assert_eq!(node.estimate(minutes(1)), NOTHING);
        (0..5_000).for_each(|turn| _ = node.record((turn % 2) as f32, minutes(1)));
        let found = node.estimate(minutes(1));
        assert!((found.mean - 0.5).abs() < 0.01 && (found.variance - 0.25).abs() < 0.01);
        assert_eq!(found.answers, MOST);
    }

    #[test]
    fn what_was_seen_counts_half_after_each_minute() {
        let node = Node::default();
        (0..8).for_each(|_| _ = node.record(1.0, minutes(1)));
        assert_eq!([1, 2, 4].map(|at| node.estimate(minutes(at)).answers), [8.0, 4.0, 1.0]);
        assert_eq!(node.estimate(minutes(1_000)).answers, 0.0);
    }

    #[test]
    fn a_node_is_drawn_to_its_parent_by_how_little_it_saw() {
        let parent = Estimate { mean: 0.0, variance: 1.0, answers: 128.0 };
        let own = Estimate { mean: 3.0, variance: 0.0, answers: 8.0 };
        assert_eq!(own.below(parent), Estimate { mean: 1.5, variance: 0.5, answers: 128.0 });
        assert_eq!(NOTHING.below(parent), parent);
    }

    #[test]
    fn only_a_node_that_gets_nothing_can_be_spared() {
        let node = Node::default();
        (0..4).for_each(|_| _ = node.record(1.0, minutes(1)));
        assert_eq!(node.worth(Moment(minutes(2).0 - 1)), None);
        assert_eq!(node.worth(minutes(2)), Some(2.0));
    }
}
