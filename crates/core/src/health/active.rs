//! What checks say of an endpoint.

use super::{Cause, Health, State, Transition};
use crate::time::Moment;

impl Health {
    /// The endpoint passed an active check.
    pub fn check_passed(&self, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        record.failed = 0;
        record.passed = record.passed.saturating_add(1);
        let in_a_row = record.passed;
        let first = std::mem::take(&mut record.unchecked);
        if in_a_row < record.plan.rise.get() && !first {
            return None;
        }
        self.apply(&mut record, Cause::ChecksPassed { in_a_row }, now)
    }

    /// The endpoint failed an active check; `cause` says how, for people: `status 503`, `no answer in 2 s`.
    pub fn check_failed(&self, now: Moment, cause: &str) -> Option<Transition> {
        let mut record = self.record.lock();
        (record.passed, record.unchecked) = (0, false);
        record.failed = record.failed.saturating_add(1);
        let in_a_row = record.failed;
        if in_a_row < record.plan.fall.get() {
            return None;
        }
        self.apply(&mut record, Cause::ChecksFailed { in_a_row, last: cause.into() }, now)
    }

    /// Whether checks should come faster: the last one failed, or the endpoint is unhealthy.
    pub fn is_in_doubt(&self) -> bool {
        self.state() == State::Unhealthy || self.record.lock().failed > 0
    }
}
