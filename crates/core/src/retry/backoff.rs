//! The pause before a try is repeated.

use std::time::Duration;

use crate::balance::SplitMix64;
use crate::plan;

/// Exponential backoff with full jitter (Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog,
/// 2015): the pause before the `n`th retry is random between 0 and min(`max`, `base` · 2ⁿ⁻¹).
///
/// Requests that failed together would otherwise come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    max: Duration,
}

impl Backoff {
    /// No pause at all.
    pub const NONE: Self = Self { base: Duration::ZERO, max: Duration::ZERO };

    /// Of pauses up to `base` first, and to `max` in the end.
    pub const fn new(base: Duration, max: Duration) -> Self {
        Self { base, max }
    }

    /// The pause before retry `number`, counted from 1.
    pub fn pause(&self, number: u32, random: &mut SplitMix64) -> Duration {
        let doubled = self.base.saturating_mul(2u32.saturating_pow(number.saturating_sub(1)));
        let bound = doubled.min(self.max).as_nanos();
        Duration::from_nanos(random.below(u64::try_from(bound).unwrap_or(u64::MAX)))
    }
}

impl From<&plan::Backoff> for Backoff {
    fn from(plan: &plan::Backoff) -> Self {
        Self { base: plan.base.duration(), max: plan.max.duration() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { base: Duration::from_millis(25), max: Duration::from_millis(250) };

    /// The longest of many pauses before retry `number`.
    fn longest(number: u32) -> Duration {
        let mut random = SplitMix64::new(1);
        (0..1_000).map(|_| BACKOFF.pause(number, &mut random)).max().unwrap_or_default()
    }

    #[test]
    fn the_bound_doubles_until_its_maximum() {
        for (number, bound) in [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (99, 250)] {
            let bound = Duration::from_millis(bound);
            assert!(longest(number) <= bound, "retry {number}");
            assert!(longest(number) > bound.mul_f64(0.95), "retry {number} does not use its range");
        }
    }

    #[test]
    fn pauses_are_spread_over_the_whole_range() {
        let mut random = SplitMix64::new(2);
        let mean: f64 =
            (0..10_000).map(|_| BACKOFF.pause(1, &mut random).as_secs_f64()).sum::<f64>() / 1e4;
        assert!((mean - 0.0125).abs() < 0.0005, "{mean}");
    }
}
