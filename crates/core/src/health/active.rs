//! What checks say of an endpoint.

use super::{Cause, Health, State, Transition};
use crate::time::Moment;

impl Health {
    /// The endpoint passed an active check.
    pub fn check_passed(&self, now: Moment) -> Option<Transition> {
        let mut tracker = self.tracker.lock();
        tracker.failed = 0;
        tracker.passed = tracker.passed.saturating_add(1);
        let in_a_row = tracker.passed;
        let first = std::mem::take(&mut tracker.unchecked);
        if in_a_row < tracker.plan.rise.get() && !first {
            return None;
        }
        self.apply(&mut tracker, Cause::ChecksPassed { in_a_row }, now)
    }

    /// The endpoint failed an active check; `cause` says how, for people: `status 503`, `no answer in 2 s`.
    pub fn check_failed(&self, now: Moment, cause: &str) -> Option<Transition> {
        let mut tracker = self.tracker.lock();
        (tracker.passed, tracker.unchecked) = (0, false);
        tracker.failed = tracker.failed.saturating_add(1);
        let in_a_row = tracker.failed;
        if in_a_row < tracker.plan.fall.get() {
            return None;
        }
        self.apply(&mut tracker, Cause::ChecksFailed { in_a_row, last: cause.into() }, now)
    }

    /// Whether checks should come faster: the last one failed, or the endpoint is unhealthy.
    pub fn is_in_doubt(&self) -> bool {
        self.state() == State::Unhealthy || self.tracker.lock().failed > 0
    }
}
