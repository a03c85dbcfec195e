//! What real requests say of an endpoint, one by one and compared with those to its peers.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::record::Record;
use super::{Cause, Complaint, Fault, Health, State, Transition};
use crate::time::Moment;

impl Health {
    /// The endpoint could not be connected to.
    ///
    /// After the set number in a row it rests; until then each is also a broken connection. During a pause
    /// only the failure of the trial counts, and not that of requests that were sent before.
    pub fn connect_failed(&self, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        record.connect_failures = record.connect_failures.saturating_add(1);
        let in_a_row = record.connect_failures;
        let rests = match self.state() {
            State::Healthy => in_a_row >= record.plan.outlier.connect_failures.get(),
            State::Resting | State::Ejected => record.trial,
            State::Unhealthy | State::Draining | State::Maintenance => false,
        };
        match rests {
            true => self.rest(&mut record, |rest| Cause::ConnectFailed { in_a_row, rest }, now),
            false => self.blame(&mut record, Fault::Broken, now),
        }
    }

    /// The endpoint could be connected to. One relaxed load while all is well.
    pub fn connected(&self, now: Moment) -> Option<Transition> {
        if !self.troubled.load(Relaxed) {
            return None; // no rest begins without a failure
        }
        let mut record = self.record.lock();
        record.connect_failures = 0;
        self.apply(&mut record, Cause::Connected, now)
    }

    /// The endpoint answered well. One relaxed load while all is well.
    ///
    /// During a pause this counts only while the trial is under way.
    pub fn succeeded(&self, now: Moment) -> Option<Transition> {
        if !self.troubled.load(Relaxed) {
            return None;
        }
        self.forgive(&mut self.record.lock(), now)
    }

    /// The endpoint answered badly, or broke off its answer, or sent none in time.
    pub fn failed(&self, fault: Fault, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        match fault {
            Fault::Server if record.plan.outlier.server_errors.is_none() => {
                self.forgive(&mut record, now)
            }
            Fault::Server | Fault::Gateway | Fault::Broken => self.blame(&mut record, fault, now),
        }
    }

    /// The endpoint stood out in a [`Comparison`](super::Comparison) with its peers.
    pub fn stood_out(&self, complaint: Complaint, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        match self.state() {
            State::Healthy => self.eject(&mut record, complaint, now),
            _ => None,
        }
    }

    fn forgive(&self, record: &mut Record, now: Moment) -> Option<Transition> {
        if matches!(self.state(), State::Resting | State::Ejected) && !record.trial {
            return None;
        }
        record.forget_failures();
        self.troubled.store(false, Relaxed);
        self.apply(record, Cause::Answered, now)
    }

    /// Count one more fault in a row: enough of them lead to a rest or an ejection.
    fn blame(&self, record: &mut Record, fault: Fault, now: Moment) -> Option<Transition> {
        record.count(fault);
        self.troubled.store(true, Relaxed);
        // The one error of a trial is enough.
        let trial = self.state() == State::Ejected && record.trial;
        let reached = |count: u32, limit: Option<NonZeroU32>| {
            count > 0 && limit.is_some_and(|limit| trial || count >= limit.get())
        };
        let outlier = &record.plan.outlier;
        if self.state() == State::Healthy && reached(record.broken, outlier.gateway_errors) {
            let in_a_row = record.broken;
            return self.rest(record, |rest| Cause::Broken { in_a_row, rest }, now);
        }
        let complaint = if reached(record.gateway_errors, outlier.gateway_errors) {
            Complaint::GatewayErrors(record.gateway_errors)
        } else if reached(record.server_errors, outlier.server_errors) {
            Complaint::ServerErrors(record.server_errors)
        } else {
            return None;
        };
        self.eject(record, complaint, now)
    }

    fn rest(
        &self,
        record: &mut Record,
        cause: impl FnOnce(Duration) -> Cause,
        now: Moment,
    ) -> Option<Transition> {
        let (first, longest) = (record.plan.outlier.rest, record.plan.outlier.max_rest);
        let rest = record.lengthen(first, longest, self.state(), now);
        self.apply(record, cause(rest), now)
    }

    fn eject(&self, record: &mut Record, complaint: Complaint, now: Moment) -> Option<Transition> {
        let again = match self.state() {
            State::Healthy => false,
            State::Ejected if record.trial => true,
            _ => return None,
        };
        if !again && !self.peers.eject() {
            return None;
        }
        self.troubled.store(true, Relaxed);
        let (first, longest) = (record.plan.outlier.ejection, record.plan.outlier.max_ejection);
        let pause = record.lengthen(first, longest, self.state(), now);
        self.apply(record, Cause::Ejected { complaint, pause }, now)
    }
}
