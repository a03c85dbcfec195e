//! A mean that forgets with time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::time::Moment;

/// Exponentially weighted moving average of a duration, weighted by time rather than by number of samples.
///
/// A sample `s` that comes `Δt` after the one before moves the mean to
/// `s + (mean − s) · e^(−Δt/τ)` (the EMA for unevenly spaced series with next-point
/// interpolation: Eckner, *Algorithms for Unevenly Spaced Time Series*, 2012). So a
/// thousand requests a second forget as fast as ten.
///
/// Lock-free: the thread that moves the time on takes the interval `Δt` for its own sample,
/// so that each interval is counted once. A sample that is not later than another has
/// `Δt = 0` and changes nothing.
#[derive(Debug)]
pub struct Ewma {
    /// Seconds, as the bits of an `f64`; NaN before the first sample.
    mean: AtomicU64,
    /// Moment of the latest sample.
    at: AtomicU64,
}

impl Default for Ewma {
    fn default() -> Self {
        Self { mean: AtomicU64::new(f64::NAN.to_bits()), at: AtomicU64::new(0) }
    }
}

impl Ewma {
    /// Take in a sample measured at `now`; after `decay`, τ, it weighs 1/e of what it did.
    pub fn record(&self, sample: Duration, now: Moment, decay: Duration) {
        let before = Moment(self.at.fetch_max(now.0, Relaxed));
        let kept = kept(now.since(before), decay);
        let sample = sample.as_secs_f64();
        let moved = |mean: u64| {
            let mean = f64::from_bits(mean);
            let next = if mean.is_nan() { sample } else { sample + (mean - sample) * kept };
            Some(next.to_bits())
        };
        // The closure never declines, so this cannot fail.
        _ = self.mean.fetch_update(Relaxed, Relaxed, moved);
    }

    /// The mean; `None` before the first sample.
    pub fn value(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(f64::from_bits(self.mean.load(Relaxed))).ok()
    }
}

/// e^(−Δt/τ): what is left after `passed`, Δt, of something that fades with `decay`, τ.
pub(super) fn kept(passed: Duration, decay: Duration) -> f64 {
    (-passed.as_secs_f64() / decay.as_secs_f64()).exp()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const DECAY: Duration = Duration::from_secs(10);

    fn after(samples: &[(u64, f64)]) -> f64 {
        let ewma = Ewma::default();
        for &(at, sample) in samples {
            ewma.record(Duration::from_secs_f64(sample), Moment(at), DECAY);
        }
        ewma.value().unwrap().as_secs_f64()
    }

    #[test]
    fn there_is_no_mean_before_the_first_sample() {
        assert_eq!(Ewma::default().value(), None);
    }

    #[test]
    fn the_first_sample_is_the_mean() {
        assert_eq!(after(&[(7 * SECOND, 0.25)]), 0.25);
    }

    #[test]
    fn after_tau_the_old_mean_weighs_one_part_in_e() {
        let mean = after(&[(SECOND, 1.0), (11 * SECOND, 0.0)]);
        assert!((mean - (-1.0f64).exp()).abs() < 1e-6, "{mean}");
    }

    #[test]
    fn it_forgets_by_time_however_many_samples_come() {
        let dense: Vec<_> =
            std::iter::once((0, 1.0)).chain((1..=1_000).map(|i| (i * SECOND / 100, 0.0))).collect();
        let sparse = [(0, 1.0), (5 * SECOND, 0.0), (10 * SECOND, 0.0)];
        assert!((after(&dense) - after(&sparse)).abs() < 1e-6);
    }

    #[test]
    fn a_sample_from_the_past_changes_nothing() {
        assert_eq!(after(&[(5 * SECOND, 0.5), (4 * SECOND, 9.0)]), 0.5);
    }
}
