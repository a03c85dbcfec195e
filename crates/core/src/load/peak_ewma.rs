//! A mean that believes bad news at once and good news slowly.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::ewma::kept;
use crate::time::Moment;

/// Exponentially weighted moving average of a latency that jumps up to any sample above it (Finagle's
/// *Peak EWMA*).
///
/// A sample below the mean moves it as in [`Ewma`](super::Ewma). While no samples come the mean fades
/// by the same law: an endpoint that was slow once and gets no requests for it is tried again after some τ.
#[derive(Debug)]
pub(super) struct PeakEwma {
    /// Seconds, as the bits of an `f64`; NaN before the first sample.
    mean: AtomicU64,
    /// Moment of the latest sample.
    at: AtomicU64,
}

impl Default for PeakEwma {
    fn default() -> Self {
        Self { mean: AtomicU64::new(f64::NAN.to_bits()), at: AtomicU64::new(0) }
    }
}

impl PeakEwma {
    /// Take in the latency of a good answer that came at `now`; `decay` is τ.
    pub(super) fn record(&self, sample: Duration, now: Moment, decay: Duration) {
        let before = Moment(self.at.fetch_max(now.0, Relaxed));
        let kept = kept(now.since(before), decay);
        let sample = sample.as_secs_f64();
        self.update(|mean| if mean > sample { sample + (mean - sample) * kept } else { sample });
    }

    /// A request failed at `now`, so long after it was sent: slow failures are bad news like slow
    /// answers, quick ones are no news, except that the mean does not fade over them.
    pub(super) fn record_failure(&self, sample: Duration, now: Moment) {
        self.at.fetch_max(now.0, Relaxed);
        let sample = sample.as_secs_f64();
        self.update(|mean| if mean < sample { sample } else { mean });
    }

    /// The mean at `now` in seconds; `None` before the first good answer. `decay` is τ.
    pub(super) fn value(&self, now: Moment, decay: Duration) -> Option<f64> {
        let mean = f64::from_bits(self.mean.load(Relaxed));
        let idle = now.since(Moment(self.at.load(Relaxed)));
        (!mean.is_nan()).then(|| mean * kept(idle, decay))
    }

    fn update(&self, next: impl Fn(f64) -> f64) {
        let moved = |mean: u64| Some(next(f64::from_bits(mean)).to_bits());
        // The closure never declines, so this cannot fail.
        _ = self.mean.fetch_update(Relaxed, Relaxed, moved);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    fn after(samples: &[(u64, u64)]) -> PeakEwma {
        let ewma = PeakEwma::default();
        for &(seconds, millis) in samples {
            ewma.record(Duration::from_millis(millis), at(seconds), DECAY);
        }
        ewma
    }

    #[test]
    fn nothing_is_known_before_the_first_good_answer() {
        let ewma = PeakEwma::default();
        assert_eq!(ewma.value(at(1), DECAY), None);
        ewma.record_failure(Duration::from_millis(1), at(1));
        assert_eq!(ewma.value(at(1), DECAY), None);
    }

    #[test]
    fn it_jumps_up_and_comes_down_by_one_part_in_e_each_tau() {
        assert_eq!(after(&[(1, 10), (2, 400)]).value(at(2), DECAY), Some(0.4));
        let mean = after(&[(1, 400), (11, 0)]).value(at(11), DECAY).unwrap();
        assert!((mean - 0.4 * (-1.0f64).exp()).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn it_fades_while_nothing_comes() {
        let ewma = after(&[(1, 400)]);
        assert!(ewma.value(at(31), DECAY).unwrap() < 0.4 * 0.05);
    }

    #[test]
    fn quick_failures_are_no_news_and_slow_ones_are_bad_news() {
        let ewma = after(&[(1, 400)]);
        ewma.record_failure(Duration::from_millis(1), at(30));
        assert_eq!(ewma.value(at(30), DECAY), Some(0.4));
        ewma.record_failure(Duration::from_secs(3), at(31));
        assert_eq!(ewma.value(at(31), DECAY), Some(3.0));
    }
}
