//! Slow start: a growing weight for endpoints that are new or have recovered.
//!
//! An endpoint whose caches are cold and whose code is not compiled yet would be crushed by its whole
//! share. At the process' start all are new alike, and none is spared.

use std::time::Duration;

use crate::balance::Endpoint;
use crate::plan::{self, SlowStartCurve};
use crate::time::Moment;

/// Steps that a weight grows in.
const STEPS: u32 = 64;
/// Shortest step: weights are not computed more often.
const SHORTEST: Duration = Duration::from_millis(50);

/// How weights grow.
#[derive(Debug)]
pub(super) struct SlowStart {
    window: Duration,
    exponent: f64,
    minimum: f64,
}

impl SlowStart {
    pub(super) fn new(plan: &plan::SlowStart) -> Self {
        let exponent = match plan.curve {
            SlowStartCurve::Linear => 1.0,
            SlowStartCurve::Aggressive => 0.5,
        };
        Self {
            window: plan.window.duration(),
            exponent,
            minimum: plan.min_weight_percent.fraction(),
        }
    }

    /// The part of its weight that `endpoint` has at `now`.
    pub(super) fn readiness(&self, endpoint: &Endpoint, now: Moment) -> f64 {
        endpoint.fresh_since().map_or(1.0, |since| self.after(now.since(since)))
    }

    fn after(&self, time: Duration) -> f64 {
        let part = time.as_secs_f64() / self.window.as_secs_f64();
        if part < 1.0 { part.powf(self.exponent).max(self.minimum) } else { 1.0 }
    }

    /// How long weights stay as they are while some grow.
    pub(super) fn step(&self) -> Duration {
        (self.window / STEPS).max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::number;

    fn parts(curve: SlowStartCurve) -> Vec<f64> {
        let plan = plan::SlowStart { window: number(1_000), curve, min_weight_percent: number(10) };
        let slow_start = SlowStart::new(&plan);
        let after = |millis| slow_start.after(Duration::from_millis(millis));
        [0, 50, 250, 640, 999, 1_000, 5_000].map(|millis| (after(millis) * 100.0).round()).to_vec()
    }

    #[test]
    fn a_linear_weight_grows_with_the_time() {
        assert_eq!(parts(SlowStartCurve::Linear), [10.0, 10.0, 25.0, 64.0, 100.0, 100.0, 100.0]);
    }

    #[test]
    fn an_aggressive_weight_grows_quickly_at_first() {
        assert_eq!(
            parts(SlowStartCurve::Aggressive),
            [10.0, 22.0, 50.0, 80.0, 100.0, 100.0, 100.0]
        );
    }
}
