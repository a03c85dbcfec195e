//! What real requests say of an endpoint, one by one and compared with those to its peers.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::tracker::Tracker;
use super::{Cause, Complaint, Fault, Health, State, Transition};
use crate::time::Moment;

impl Health {
    /// The endpoint could not be connected to.
    ///
    /// After the set number in a row it rests; until then each is also a broken connection. During a pause
    /// only the failure of the trial counts, and not that of requests that were sent before.
    pub fn connect_failed(&self, now: Moment) -> Option<Transition> {
        let mut tracker = self.tracker.lock();
        tracker.connect_failures = tracker.connect_failures.saturating_add(1);
        let in_a_row = tracker.connect_failures;
        let rests = match self.state() {
            State::Healthy | State::Draining => {
                in_a_row >= tracker.plan.outlier.connect_failures.get()
            }
            State::Resting | State::Ejected => tracker.trial,
            State::Unhealthy | State::Maintenance => false,
        };
        match rests {
            true => self.rest(&mut tracker, |rest| Cause::ConnectFailed { in_a_row, rest }, now),
            false => self.blame(&mut tracker, Fault::Broken, now),
        }
    }

    /// The endpoint could be connected to. One relaxed load while all is well.
    pub fn connected(&self, now: Moment) -> Option<Transition> {
        if !self.troubled.load(Relaxed) {
            return None; // no rest begins without a failure
        }
        let mut tracker = self.tracker.lock();
        tracker.connect_failures = 0;
        self.apply(&mut tracker, Cause::Connected, now)
    }

    /// The endpoint answered well. One relaxed load while all is well.
    ///
    /// During a pause this counts only while the trial is under way.
    pub fn succeeded(&self, now: Moment) -> Option<Transition> {
        if !self.troubled.load(Relaxed) {
            return None;
        }
        self.forgive(&mut self.tracker.lock(), now)
    }

    /// The endpoint answered badly, or broke off its answer, or sent none in time.
    pub fn failed(&self, fault: Fault, now: Moment) -> Option<Transition> {
        let mut tracker = self.tracker.lock();
        match fault {
            Fault::Server if tracker.plan.outlier.server_errors.is_none() => {
                self.forgive(&mut tracker, now)
            }
            Fault::Server | Fault::Gateway | Fault::Broken => self.blame(&mut tracker, fault, now),
        }
    }

    /// The endpoint stood out in a [`Comparison`](super::Comparison) with its peers.
    pub fn stood_out(&self, complaint: Complaint, now: Moment) -> Option<Transition> {
        let mut tracker = self.tracker.lock();
        match self.state() {
            State::Healthy => self.eject(&mut tracker, complaint, now),
            _ => None,
        }
    }

    fn forgive(&self, tracker: &mut Tracker, now: Moment) -> Option<Transition> {
        if matches!(self.state(), State::Resting | State::Ejected) && !tracker.trial {
            return None;
        }
        tracker.forget_failures();
        self.troubled.store(false, Relaxed);
        self.apply(tracker, Cause::Answered, now)
    }

    /// Count one more fault in a row: enough of them lead to a rest or an ejection.
    fn blame(&self, tracker: &mut Tracker, fault: Fault, now: Moment) -> Option<Transition> {
        tracker.count(fault);
        self.troubled.store(true, Relaxed);
        // The one error of a trial is enough.
        let trial = self.state() == State::Ejected && tracker.trial;
        let reached = |count: u32, limit: Option<NonZeroU32>| {
            count > 0 && limit.is_some_and(|limit| trial || count >= limit.get())
        };
        let outlier = &tracker.plan.outlier;
        let is_used = matches!(self.state(), State::Healthy | State::Draining);
        if is_used && reached(tracker.broken, outlier.gateway_errors) {
            let in_a_row = tracker.broken;
            return self.rest(tracker, |rest| Cause::Broken { in_a_row, rest }, now);
        }
        let complaint = if reached(tracker.gateway_errors, outlier.gateway_errors) {
            Complaint::GatewayErrors(tracker.gateway_errors)
        } else if reached(tracker.server_errors, outlier.server_errors) {
            Complaint::ServerErrors(tracker.server_errors)
        } else {
            return None;
        };
        self.eject(tracker, complaint, now)
    }

    fn rest(
        &self,
        tracker: &mut Tracker,
        cause: impl FnOnce(Duration) -> Cause,
        now: Moment,
    ) -> Option<Transition> {
        if self.state() == State::Draining {
            return self.end_service();
        }
        let (first, longest) = (tracker.plan.outlier.rest, tracker.plan.outlier.max_rest);
        let rest = tracker.lengthen(first, longest, self.state(), now);
        self.apply(tracker, cause(rest), now)
    }

    /// The endpoint drains, and serves those no more either that stayed with it. Its state does not change.
    fn end_service(&self) -> Option<Transition> {
        self.block_until(Moment(u64::MAX));
        None
    }

    fn eject(
        &self,
        tracker: &mut Tracker,
        complaint: Complaint,
        now: Moment,
    ) -> Option<Transition> {
        let again = match self.state() {
            State::Healthy => false,
            State::Ejected if tracker.trial => true,
            State::Draining => return self.end_service(),
            _ => return None,
        };
        if !again && !self.peers.eject() {
            return None;
        }
        self.troubled.store(true, Relaxed);
        let (first, longest) = (tracker.plan.outlier.ejection, tracker.plan.outlier.max_ejection);
        let pause = tracker.lengthen(first, longest, self.state(), now);
        self.apply(tracker, Cause::Ejected { complaint, pause }, now)
    }
}
