//! A quantile of positive numbers, learned as they come.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// Samples before there is an estimate.
const ENOUGH: u32 = 100;
/// Relative size of a step, once enough was seen.
const STEP: f32 = 0.05;

/// An estimate of the quantile `q` that follows the samples: up by `q` of a step for a sample above it, down by
/// 1 − `q` of a step for one below. It rests where a share of 1 − `q` lies above it (stochastic approximation,
/// Robbins and Monro 1951; with steps of fixed size: Ma, Muthukrishnan and Sandler, *Frugal Streaming for
/// Estimating Quantiles*, 2013). Steps are relative, so that thousandths and thousands are learned alike.
///
/// It needs to know only whether a sample lies above it. So hedging does not spoil it: a request that was
/// hedged had taken longer than the estimate, whichever answer came first.
///
/// Eight bytes and no lock; of two workers that record at once, one may be forgotten.
#[derive(Debug)]
pub struct Quantile {
    q: f32,
    /// Samples seen, and the estimate as the bits of an `f32`.
    state: AtomicU64,
}

impl Quantile {
    /// The quantile `q`, between 0 and 1.
    pub fn new(q: f64) -> Self {
        Self { q: q as f32, state: AtomicU64::new(0) }
    }

    /// Take in a sample.
    pub fn record(&self, sample: f32) {
        let (seen, estimate) = unpack(self.state.load(Relaxed));
        // Long steps first, to arrive.
        let step = STEP.max(1.0 / (seen as f32).sqrt()).min(1.0);
        let next = match seen {
            0 => sample,
            _ if sample > estimate => estimate * (1.0 + step * self.q),
            _ => estimate * (1.0 - step * (1.0 - self.q)),
        };
        // Not 0, from which no factor leads away.
        self.state.store(pack(seen.saturating_add(1), next.max(1e-6)), Relaxed);
    }

    /// The estimate; `None` before enough samples.
    pub fn value(&self) -> Option<f32> {
        let (seen, estimate) = unpack(self.state.load(Relaxed));
        (seen >= ENOUGH).then_some(estimate)
    }
}

fn pack(seen: u32, estimate: f32) -> u64 {
    u64::from(seen) << 32 | u64::from(estimate.to_bits())
}

fn unpack(state: u64) -> (u32, f32) {
    ((state >> 32) as u32, f32::from_bits(state as u32))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::SplitMix64;

    /// A number from 0 to 1.
    fn uniform(random: &mut SplitMix64) -> f64 {
        random.below(1 << 53) as f64 / (1u64 << 53) as f64
    }

    /// An exponentially distributed number.
    fn draw(mean: f64, random: &mut SplitMix64) -> f32 {
        (-mean * (1.0 - uniform(random)).ln()) as f32
    }

    #[test]
    fn there_is_no_estimate_before_enough_samples() {
        let quantile = Quantile::new(0.95);
        for _ in 0..ENOUGH {
            assert_eq!(quantile.value(), None);
            quantile.record(0.001);
        }
        assert!(quantile.value().is_some());
    }

    #[test]
    fn it_follows_when_everything_becomes_slower_or_faster() {
        let quantile = Quantile::new(0.95);
        let mut random = SplitMix64::new(3);
        for mean in [0.001, 0.1, 0.002] {
            (0..5_000).for_each(|_| quantile.record(draw(mean, &mut random)));
            let exact = mean * 20f64.ln();
            let found = f64::from(quantile.value().unwrap());
            assert!((found / exact).ln().abs() < 0.4, "{found} of {exact}");
        }
    }

    #[test]
    fn samples_of_nothing_do_not_hold_it_down_for_ever() {
        let quantile = Quantile::new(0.5);
        (0..10_000).for_each(|_| quantile.record(0.0));
        (0..1_000).for_each(|_| quantile.record(1.0));
        assert!(quantile.value().unwrap() > 0.5);
    }

    proptest! {
        /// The share of samples above the estimate is what the quantile says, whatever their scale.
        #[test]
        fn the_share_above_it_is_the_one_that_was_asked_for(
            seed in any::<u64>(),
            q in 0.5..0.99f64,
            mean in 1e-4..10.0f64,
        ) {
            let quantile = Quantile::new(q);
            let mut random = SplitMix64::new(seed);
            (0..5_000).for_each(|_| quantile.record(draw(mean, &mut random)));
            let mut above = 0;
            for _ in 0..20_000 {
                let sample = draw(mean, &mut random);
                above += usize::from(sample > quantile.value().unwrap());
                quantile.record(sample);
            }
            let share = above as f64 / 20_000.0;
            prop_assert!((share - (1.0 - q)).abs() < 0.01, "{share} above the quantile {q}");
        }
    }
}
