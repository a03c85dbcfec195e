//! How much an endpoint failed of late.
//!
//! A server that is broken often fails faster than it would answer. Where only requests
//! in flight or latency count, it looks idle and quick, and draws all the traffic: the sinkhole. So failures
//! are part of an endpoint's load.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::time::Moment;

/// Weight of the latest request in the share of failures.
const LATEST: f64 = 1.0 / 8.0;
/// A share below this counts as none: a quarter of what one failure makes.
const FORGOTTEN: f64 = LATEST / 4.0;
/// The share stays below one by this much, so that what is divided by the rest stays finite.
const LEFT: f64 = 1e-3;

/// The share of requests that failed of late, forgotten in time.
///
/// A mean over requests, the latest one with a weight of 1/8, that fades by e^(−Δt/τ) while none
/// come. What is kept is the moment at which it will have faded to `FORGOTTEN`: one word, which
/// is not written and costs one load while all is well.
#[derive(Debug, Default)]
pub(super) struct Failing(AtomicU64);

impl Failing {
    /// The share at `now`, from 0 to almost 1; `decay` is τ.
    pub(super) fn share(&self, now: Moment, decay: Duration) -> f64 {
        self.share_until(self.0.load(Relaxed), now, decay)
    }

    /// A request failed at `now`.
    pub(super) fn failed(&self, now: Moment, decay: Duration) {
        self.update(now, decay, |share| share + (1.0 - share) * LATEST);
    }

    /// A request was answered well at `now`.
    pub(super) fn answered(&self, now: Moment, decay: Duration) {
        if self.0.load(Relaxed) > now.0 {
            self.update(now, decay, |share| share * (1.0 - LATEST));
        }
    }

    fn update(&self, now: Moment, decay: Duration, next: impl Fn(f64) -> f64) {
        let moved = |until: u64| {
            let share = next(self.share_until(until, now, decay));
            let left = decay.as_secs_f64() * (share / FORGOTTEN).ln();
            Some(now.after(Duration::try_from_secs_f64(left).unwrap_or_default()).0)
        };
        // The closure never declines, so this cannot fail.
        _ = self.0.fetch_update(Relaxed, Relaxed, moved);
    }

    fn share_until(&self, until: u64, now: Moment, decay: Duration) -> f64 {
        if until <= now.0 {
            return 0.0;
        }
        let left = Moment(until).since(now).as_secs_f64() / decay.as_secs_f64();
        (FORGOTTEN * left.exp()).min(1.0 - LEFT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);
    const NOW: Moment = Moment(7_000_000_000);

    fn share(failing: &Failing, seconds: u64) -> f64 {
        failing.share(NOW.after(Duration::from_secs(seconds)), DECAY)
    }

    #[test]
    fn while_all_is_well_there_is_nothing() {
        let failing = Failing::default();
        failing.answered(NOW, DECAY);
        assert_eq!(share(&failing, 0), 0.0);
    }

    #[test]
    fn it_converges_to_the_share_of_requests_that_fail() {
        let failing = Failing::default();
        for _ in 0..100 {
            failing.failed(NOW, DECAY);
        }
        assert_eq!(share(&failing, 0), 1.0 - LEFT);
        let mut sum = 0.0;
        for _ in 0..400 {
            failing.answered(NOW, DECAY);
            failing.failed(NOW, DECAY);
            sum += share(&failing, 0);
        }
        assert!((sum / 400.0 - 0.5).abs() < 0.1, "{sum}");
    }

    #[test]
    fn one_failure_is_forgotten_after_some_time_and_many_after_more() {
        let one = Failing::default();
        one.failed(NOW, DECAY);
        assert!((share(&one, 0) - LATEST).abs() < 1e-6);
        assert!(share(&one, 13) > 0.0 && share(&one, 14) == 0.0);
        let many = Failing::default();
        (0..100).for_each(|_| many.failed(NOW, DECAY));
        assert!(share(&many, 34) > 0.0 && share(&many, 35) == 0.0);
    }

    #[test]
    fn good_answers_make_up_for_failures_sooner_than_time_does() {
        let failing = Failing::default();
        (0..8).for_each(|_| failing.failed(NOW, DECAY));
        (0..24).for_each(|_| failing.answered(NOW, DECAY));
        assert_eq!(share(&failing, 0), 0.0);
    }
}
