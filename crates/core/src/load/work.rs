//! Work that is predicted to be with an endpoint, and how long requests wait there.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::fading::{Fading, Sample};
use crate::time::Moment;

/// No wait counts as much as one answer to a request of usual cost.
const PRIOR: f32 = 1.0;
/// One answer counts as much as so many to requests of usual cost at most.
const MOST: f32 = 100.0;

/// The work of the requests in flight whose cost is predicted, and how much longer than predicted such requests took.
///
/// What a request took beyond its own work is seen in light ones: of a heavy one it is lost in the error of the prediction,
/// which grows with the cost. So an answer counts by 1 ÷ cost², as in a mean of measurements with such errors.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Microseconds.
    backlog: AtomicU64,
    /// Seconds.
    wait: Fading,
}

impl Work {
    /// A request that costs so many microseconds is sent.
    pub(super) fn add(&self, cost: u32) {
        self.backlog.fetch_add(cost.into(), Relaxed);
    }

    /// It is over.
    pub(super) fn take(&self, cost: u32) {
        self.backlog.fetch_sub(cost.into(), Relaxed);
    }

    /// A request of e^`expected` times the usual cost, which takes `typical` seconds there, was answered at `now` after
    /// `latency`; `decay` is τ.
    pub(super) fn answered(
        &self,
        latency: Duration,
        typical: f32,
        expected: f32,
        now: Moment,
        decay: Duration,
    ) {
        let beyond = (latency.as_secs_f32() - typical).max(0.0);
        let counts = (-2.0 * expected).exp().min(MOST);
        self.wait.record(beyond, counts, f32::MAX, now, decay);
    }

    /// The work of the requests in flight, in seconds.
    pub(super) fn backlog(&self) -> f64 {
        self.backlog.load(Relaxed) as f64 / 1e6
    }

    /// How long requests of late took beyond their own work, in seconds; `decay` is τ.
    pub(super) fn wait(&self, now: Moment, decay: Duration) -> f64 {
        let Sample { mean, answers } = self.wait.sample(now, decay);
        f64::from(mean * (answers / (answers + PRIOR)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);
    const NOW: Moment = Moment(1_000_000_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn nothing_is_left_of_requests_that_are_over() {
        let work = Work::default();
        work.add(4_000);
        work.add(400_000);
        assert!((work.backlog() - 0.404).abs() < 1e-9);
        work.take(400_000);
        work.take(4_000);
        assert_eq!(work.backlog(), 0.0);
    }

    #[test]
    fn a_wait_is_seen_in_the_light_requests_whatever_the_heavy_ones_took() {
        let work = Work::default();
        let (light, heavy) = (0.1f32.ln(), 10f32.ln());
        for _ in 0..50 {
            work.answered(millis(34), 0.004, light, NOW, DECAY);
            work.answered(millis(900), 0.4, heavy, NOW, DECAY);
        }
        assert!((work.wait(NOW, DECAY) - 0.03).abs() < 0.001, "{}", work.wait(NOW, DECAY));
    }

    #[test]
    fn a_wait_is_forgotten_in_time_and_one_heavy_answer_says_little() {
        let work = Work::default();
        work.answered(millis(34), 0.004, 0.1f32.ln(), NOW, DECAY);
        let later = NOW.after(DECAY * 8);
        assert!(work.wait(later, DECAY) < 0.002);
        let other = Work::default();
        other.answered(millis(900), 0.4, 10f32.ln(), NOW, DECAY);
        assert!(other.wait(NOW, DECAY) < 0.01);
    }
}
