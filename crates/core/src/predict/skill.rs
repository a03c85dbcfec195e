//! How far predictions are to be believed.
//!
//! They are weighed by what they explained of late: the part of the variance of logarithmic costs that is left over
//! by the upstream's mean but not by the prediction. What is used is ĉ^w × mean^(1−w), so a prediction that
//! is worth little moves little, and one that is worth nothing is not used at all.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::node::Estimate;

/// Answers of a block; blocks are what the scatter is told by.
const BLOCK: u64 = 100;
/// Blocks that are remembered: the last 2,000 answers.
const BLOCKS: usize = 20;
/// Blocks that it takes to say anything.
const FEWEST: usize = 5;
/// No more is believed than the latest blocks bear out: what was right and goes wrong at once does so for some hundred answers.
const LATEST: usize = 2;
/// The one-sided 95 % quantile of Student's t, for 4 degrees of freedom, the fewest that there are.
const STUDENT: f64 = 2.132;
/// A skill that is believed in full.
const FULL: f64 = 0.2;
/// What is predicted may be so many times what was seen, or that part of it.
const APART: f32 = 10.0;
/// Standard deviations around the mean that count as what was seen.
const SEEN: f32 = 2.0;

/// A squared error is counted in steps of 2^-STEPS, up to `LARGEST`.
const STEPS: u32 = 10;
const LARGEST: f32 = 100.0;
/// Bits of each of the two sums of a block, and of its count above them.
const SUM_BITS: u32 = 27;
const SUM_MASK: u64 = (1 << SUM_BITS) - 1;

/// What the predictions for one upstream were worth on its last 2,000 answers, and so how far the next are believed.
#[derive(Debug, Default)]
pub struct Skill {
    /// The block that is being filled: number of answers, squared errors without and with prediction.
    filling: AtomicU64,
    blocks: [AtomicU64; BLOCKS],
    filled: AtomicUsize,
    /// The bits of `f32`.
    bound: AtomicU32,
    weight: AtomicU32,
    upper: AtomicU32,
}

impl Skill {
    /// A request cost `actual`, where `predicted` was said and the mean is `usual`: logarithms of seconds.
    /// Takes one addition; each hundredth answer judges anew.
    pub fn record(&self, actual: f32, predicted: f32, usual: f32) {
        let squared = |said: f32| {
            let error = (actual - said).powi(2);
            let error = if error.is_finite() { error.min(LARGEST) } else { LARGEST };
            (error * (1 << STEPS) as f32) as u64
        };
        let added = 1 << (2 * SUM_BITS) | squared(usual) << SUM_BITS | squared(predicted);
        let before = self.filling.fetch_add(added, Relaxed);
        // The one answer that fills the block; those that come meanwhile belong to it, too.
        if (before >> (2 * SUM_BITS)) + 1 == BLOCK {
            let block = self.filling.swap(0, Relaxed);
            let filled = self.filled.fetch_add(1, Relaxed);
            self.blocks[filled % BLOCKS].store(block, Relaxed);
            self.judge(filled + 1);
        }
    }

    /// The blocks that are remembered, the oldest first.
    pub(super) fn blocks(&self) -> Vec<u64> {
        let filled = self.filled.load(Relaxed);
        let known = filled.saturating_sub(BLOCKS)..filled;
        known.map(|number| self.blocks[number % BLOCKS].load(Relaxed)).collect()
    }

    /// Go on from these [blocks](Self::blocks).
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn restore(&self, blocks: &[u64]) -> Result<(), String> {
        let is_full = |block: &u64| block >> (2 * SUM_BITS) >= BLOCK;
        if blocks.len() > BLOCKS || !blocks.iter().all(is_full) {
            return Err(format!("expected up to {BLOCKS} full blocks of skill"));
        }
        for (own, block) in self.blocks.iter().zip(blocks) {
            own.store(*block, Relaxed);
        }
        self.filled.store(blocks.len(), Relaxed);
        self.judge(blocks.len());
        Ok(())
    }

    fn judge(&self, filled: usize) {
        let blocks = filled.min(BLOCKS);
        let (bound, upper) = if blocks < FEWEST { (0.0, 1.0) } else { self.bounds(blocks) };
        self.bound.store((bound as f32).to_bits(), Relaxed);
        let latest = (filled.saturating_sub(LATEST)..filled).map(|number| number % BLOCKS);
        let latest = explained(total(latest.map(|place| sums(self.blocks[place].load(Relaxed)))));
        let weight = (bound.min(latest) / FULL).clamp(0.0, 1.0) as f32;
        self.weight.store(weight.to_bits(), Relaxed);
        self.upper.store((upper as f32).to_bits(), Relaxed);
    }

    /// The lower and the upper 95 % bound of the explained part, by leaving out each block in turn (the jackknife:
    /// Tukey 1958).
    fn bounds(&self, count: usize) -> (f64, f64) {
        let blocks = self.blocks[..count].iter().map(|block| sums(block.load(Relaxed)));
        let (without, with) = total(blocks.clone());
        let whole = explained((without, with));
        let n = count as f64;
        let scatter: f64 = blocks
            .map(|(own_without, own_with)| {
                (explained((without - own_without, with - own_with)) - whole).powi(2)
            })
            .sum();
        let margin = STUDENT * (scatter * (n - 1.0) / n).sqrt();
        (whole - margin, whole + margin)
    }

    /// The root of the mean squared error of the logarithms, where the mean is said and where predictions are; `None`
    /// before the first hundred answers.
    pub fn errors(&self) -> Option<[f64; 2]> {
        let blocks = self.blocks();
        let answers = blocks.iter().map(|block| block >> (2 * SUM_BITS)).sum::<u64>() as f64;
        let (without, with) = total(blocks.into_iter().map(sums));
        let error = |sum: f64| (sum / answers / f64::from(1 << STEPS)).sqrt();
        (answers > 0.0).then(|| [without, with].map(error))
    }

    /// The lower bound of the explained part of the variance.
    pub fn bound(&self) -> f32 {
        f32::from_bits(self.bound.load(Relaxed))
    }

    /// The upper bound; `None` before there are as many answers as are remembered.
    pub(super) fn upper_bound(&self) -> Option<f32> {
        let is_full = self.filled.load(Relaxed) >= BLOCKS;
        is_full.then(|| f32::from_bits(self.upper.load(Relaxed)))
    }

    /// How far predictions are believed, from 0 to 1.
    pub fn weight(&self) -> f32 {
        f32::from_bits(self.weight.load(Relaxed))
    }
}

/// The squared errors of a block, in steps, without and with prediction.
fn sums(block: u64) -> (f64, f64) {
    ((block >> SUM_BITS & SUM_MASK) as f64, (block & SUM_MASK) as f64)
}

fn total(blocks: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    blocks.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d))
}

/// The part of the variance that predictions explain, of the squared errors without and with them.
fn explained((without, with): (f64, f64)) -> f64 {
    if without > 0.0 { 1.0 - with / without } else { 0.0 }
}

/// What is used where `predicted` is said, the mean is `usual` and predictions are believed with `weight`:
/// logarithms.
pub(super) fn blend(predicted: f32, usual: f32, weight: f32) -> f32 {
    usual + weight * (predicted - usual)
}

/// The logarithm of `predicted` seconds, unless that is not a number or far outside of what was `seen` where the
/// request belongs: then the mean of that.
pub(super) fn sane(predicted: f32, seen: &Estimate) -> f32 {
    let (predicted, spread) = (predicted.ln(), APART.ln() + SEEN * seen.variance.sqrt());
    let is_sane = (predicted - seen.mean).abs() <= spread;
    if is_sane { predicted } else { seen.expected() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::balance::SplitMix64;

    /// The skill after so many answers of two classes, that are 3 apart, with noise; `said` of each is told its
    /// class.
    fn after(answers: usize, said: impl Fn(f32, &mut SplitMix64) -> f32) -> Skill {
        let skill = Skill::default();
        let mut random = SplitMix64::new(9);
        for _ in 0..answers {
            let class = random.below(2) as f32 * 3.0;
            let actual = class + random.fraction() as f32 - 0.5;
            skill.record(actual, said(class, &mut random), 1.5);
        }
        skill
    }

    #[test]
    fn predictions_that_explain_the_costs_are_believed_in_full() {
        let skill = after(2_000, |class, _| class);
        assert!(skill.bound() > 0.9, "{}", skill.bound());
        assert_eq!(skill.weight(), 1.0);
    }

    #[test]
    fn errors_are_those_of_what_was_said_and_of_the_mean() {
        assert_eq!(after(99, |class, _| class).errors(), None);
        let [mean, prediction] = after(4_000, |class, _| class).errors().unwrap();
        // The noise is uniform in one; each class is 1.5 from the mean.
        let noise = 1.0 / 12.0_f64;
        assert!((prediction - noise.sqrt()).abs() < 0.01, "{prediction}");
        assert!((mean - (noise + 2.25).sqrt()).abs() < 0.02, "{mean}");
    }

    #[test]
    fn weak_ones_are_believed_in_part() {
        let skill =
            after(4_000, |class, random| if random.fraction() < 0.25 { class } else { 1.5 });
        assert!((0.15..0.26).contains(&skill.bound()), "{}", skill.bound());
        assert!(skill.weight() > 0.7, "{}", skill.weight());
    }

    #[test]
    fn constant_random_and_inverted_ones_are_not_believed() {
        for skill in [
            after(4_000, |_, _| 1.5),
            after(4_000, |_, random| random.below(2) as f32 * 3.0),
            after(4_000, |class, _| 3.0 - class),
            after(4_000, |_, _| f32::NAN),
            after(4_000, |_, _| f32::INFINITY),
        ] {
            assert_eq!(skill.weight(), 0.0);
        }
    }

    #[test]
    fn before_there_are_five_hundred_answers_nothing_is_believed() {
        assert_eq!(after(499, |class, _| class).weight(), 0.0);
        assert_eq!(after(500, |class, _| class).weight(), 1.0);
    }

    #[test]
    fn a_right_one_that_turns_wrong_is_caught_within_two_thousand_answers() {
        let skill = after(2_000, |class, _| class);
        let mut random = SplitMix64::new(4);
        let caught = (0..2_000).find(|_| {
            let class = random.below(2) as f32 * 3.0;
            skill.record(class, 3.0 - class, 1.5);
            skill.weight() == 0.0
        });
        assert!(caught.is_some_and(|answers| answers < 1_000), "{caught:?}");
    }

    #[test]
    fn a_right_one_that_turns_wrong_is_not_believed_after_two_blocks() {
        let skill = after(4_000, |class, _| class);
        let mut random = SplitMix64::new(4);
        for _ in 0..2 * BLOCK {
            let class = random.below(2) as f32 * 3.0;
            skill.record(class, 3.0 - class, 1.5);
        }
        assert_eq!(skill.weight(), 0.0);
        assert!(skill.bound() < 0.9, "and what it was worth before is not forgotten for it");
    }

    #[test]
    fn what_is_used_lies_between_prediction_and_mean() {
        let used = |weight| blend(0.4_f32.ln(), 0.004_f32.ln(), weight).exp();
        assert!((used(1.0) - 0.4).abs() < 1e-4);
        assert!((used(0.5) - 0.04).abs() < 1e-4);
        assert!((used(0.0) - 0.004).abs() < 1e-5);
    }

    #[test]
    fn what_cannot_be_is_the_mean_of_what_was_seen() {
        let seen = Estimate { mean: 0.01_f32.ln(), variance: 0.0, answers: 100.0 };
        for (said, used) in [
            (0.05, 0.05),
            (0.2, 0.01),
            (0.0001, 0.01),
            (-1.0, 0.01),
            (0.0, 0.01),
            (f32::NAN, 0.01),
            (f32::INFINITY, 0.01),
        ] {
            let found = sane(said, &seen).exp();
            assert!((found - used).abs() < 1e-4, "{said}: {found}");
        }
    }
}
