//! Which endpoints are well.
//!
//! One [`Health`] per endpoint holds one state, why it is in it and since when. Real requests
//! (passive), health checks (active), a comparison with its peers and the operator all speak to it.
//!
//! | state | connects fail | bad answers | a connect works | a good answer | checks fail | checks pass |
//! |---|---|---|---|---|---|---|
//! | healthy | resting | ejected | | | unhealthy | |
//! | resting | resting, longer (trial) | | healthy | healthy (trial) | unhealthy | healthy |
//! | ejected | resting (trial) | ejected, longer (trial) | | healthy (trial) | unhealthy | |
//! | unhealthy | | | | | | healthy |
//!
//! A trial is the one request that is sent after a rest or an ejection is over; where the table says
//! so, only what happens while it is under way counts. The operator leads from each state to draining
//! and maintenance and back; what is back begins anew, as if it was just added.

mod cause;
mod check;
mod outlier;
mod peers;
mod record;
mod state;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

pub use cause::{Cause, Complaint};
pub use check::check;
pub use outlier::{Comparison, Tally};
pub use peers::Peers;
pub use record::Transition;
pub use state::{Duty, State};

use self::record::{Record, initial};
use crate::plan;
use crate::time::Moment;

/// Marks a state whose pause is over, while the request that tries is under way.
const TRIAL: u8 = 0x80;

/// How an answered request speaks against its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A status of 500 or above other than those below: more often the application than the endpoint.
    Server,
    /// 502, 503, 504, an answer that breaks the rules, or none in time.
    Gateway,
    /// The connection broke before the answer was complete: also a gateway error, but more likely a restart
    /// than a fault.
    Broken,
}

impl Fault {
    /// The fault that a status tells of, if it does.
    pub const fn of(status: u16) -> Option<Self> {
        match status {
            502..=504 => Some(Self::Gateway),
            500.. => Some(Self::Server),
            _ => None,
        }
    }
}

/// The health of one endpoint.
#[derive(Debug)]
pub struct Health {
    /// When it may be used again: 0 healthy, `u64::MAX` not by time alone, else the end of its pause.
    blocked_until: AtomicU64,
    /// The state's number, and [`TRIAL`].
    state: AtomicU8,
    /// Whether a good answer or a connect that works would change anything.
    troubled: AtomicBool,
    peers: Arc<Peers>,
    /// Locked where something fails, changes or is checked: never while all is well.
    record: Mutex<Record>,
}

impl Health {
    /// The health of an endpoint that is added at `now` beside its `peers`.
    pub fn new(plan: &plan::Health, duty: Duty, now: Moment, peers: Arc<Peers>) -> Self {
        let state = match duty {
            Duty::Serving => initial(plan),
            Duty::Draining => State::Draining,
            Duty::Maintenance { .. } => State::Maintenance,
        };
        let record = Record::new(plan, duty, state, now);
        Self {
            blocked_until: AtomicU64::new(blocked_until(state, &record, now).0),
            state: AtomicU8::new(state as u8),
            troubled: AtomicBool::new(false),
            peers,
            record: Mutex::new(record),
        }
    }

    /// Judge by `plan` and be on `duty` from now on. Otherwise the state stays, except that an
    /// endpoint which is no longer checked cannot stay unhealthy.
    pub fn configure(&self, plan: &plan::Health, duty: Duty, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        record.plan = plan.clone();
        if record.duty == duty {
            let checked = plan.is_active();
            return if checked { None } else { self.apply(&mut record, Cause::ChecksEnded, now) };
        }
        record.duty = duty;
        let cause = match &record.duty {
            Duty::Serving => Cause::Resumed,
            Duty::Draining => Cause::Drained,
            Duty::Maintenance { reason } => Cause::Maintenance { reason: reason.clone() },
        };
        self.apply(&mut record, cause, now)
    }

    /// Whether the endpoint may be used at `now`: it is healthy, or its pause is over. One relaxed load.
    pub fn available(&self, now: Moment) -> bool {
        self.blocked_until() <= now
    }

    /// Whether a request may really go to the endpoint at `now`.
    ///
    /// Like [`available`](Self::available), except that after a pause only one caller
    /// gets true: its request is the trial. If no word of it comes back, the next
    /// trial is due after another pause.
    pub fn admit(&self, now: Moment) -> bool {
        match self.blocked_until() {
            Moment(0) => true,
            until if until > now => false,
            _ => self.begin_trial(now),
        }
    }

    fn begin_trial(&self, now: Moment) -> bool {
        let mut record = self.record.lock();
        let until = self.blocked_until();
        if until == Moment(0) || until > now {
            return until == Moment(0); // another request was quicker
        }
        record.trial = true;
        self.state.fetch_or(TRIAL, Relaxed);
        self.block_until(record.pause_end(now));
        true
    }

    /// The endpoint could not be connected to.
    ///
    /// After the set number in a row it rests. During a pause only the failure of the
    /// trial counts, and not that of requests that were sent before.
    pub fn connect_failed(&self, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        record.connect_failures = record.connect_failures.saturating_add(1);
        record.count(Fault::Broken);
        self.troubled.store(true, Relaxed);
        let in_a_row = record.connect_failures;
        match self.state() {
            State::Healthy if in_a_row < record.plan.outlier.connect_failures => {
                return self.complain_of_errors(&mut record, now);
            }
            State::Healthy => {}
            State::Resting | State::Ejected if record.trial => {}
            _ => return None,
        }
        self.rest(&mut record, |rest| Cause::ConnectFailed { in_a_row, rest }, now)
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

    fn forgive(&self, record: &mut Record, now: Moment) -> Option<Transition> {
        if matches!(self.state(), State::Resting | State::Ejected) && !record.trial {
            return None;
        }
        record.forget_failures();
        self.troubled.store(false, Relaxed);
        self.apply(record, Cause::Answered, now)
    }

    /// The endpoint answered badly, or broke off its answer, or sent none in time.
    pub fn failed(&self, fault: Fault, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        if fault == Fault::Server && record.plan.outlier.server_errors.is_none() {
            return self.forgive(&mut record, now);
        }
        record.count(fault);
        self.troubled.store(true, Relaxed);
        self.complain_of_errors(&mut record, now)
    }

    fn complain_of_errors(&self, record: &mut Record, now: Moment) -> Option<Transition> {
        // The one error of a trial is enough.
        let trial = self.state() == State::Ejected && record.trial;
        let reached = |count: u32, limit: Option<u32>| {
            count > 0 && limit.is_some_and(|limit| trial || count >= limit)
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

    /// The endpoint stood out in a [`Comparison`] with its peers.
    pub fn stood_out(&self, complaint: Complaint, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        match self.state() {
            State::Healthy => self.eject(&mut record, complaint, now),
            _ => None,
        }
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

    /// The endpoint passed an active check.
    pub fn check_passed(&self, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        record.failed = 0;
        record.passed = record.passed.saturating_add(1);
        let in_a_row = record.passed;
        let first = std::mem::take(&mut record.unchecked);
        if in_a_row < record.plan.rise && !first {
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
        if in_a_row < record.plan.fall {
            return None;
        }
        self.apply(&mut record, Cause::ChecksFailed { in_a_row, last: cause.into() }, now)
    }

    /// Whether checks should come faster: the last one failed, or the endpoint is unhealthy.
    pub fn is_in_doubt(&self) -> bool {
        self.state() == State::Unhealthy || self.record.lock().failed > 0
    }

    /// The state now. One relaxed load.
    pub fn state(&self) -> State {
        State::ALL[usize::from(self.state.load(Relaxed) & !TRIAL)]
    }

    /// Whether the endpoint most likely does not answer at all: it fails its checks, or cannot be
    /// connected to and is not being tried. One relaxed load.
    ///
    /// A caller that waits for an answer of an endpoint which was not down when it was picked, and is now,
    /// waits in vain. (In panic mode requests go to endpoints that are down already.)
    pub fn is_down(&self) -> bool {
        let state = self.state.load(Relaxed);
        state == State::Unhealthy as u8 || state == State::Resting as u8
    }

    /// The last transitions, oldest first. The last of them says why the endpoint is in its state,
    /// and since when.
    pub fn history(&self) -> Vec<Transition> {
        self.record.lock().history.iter().cloned().collect()
    }

    /// When the endpoint became healthy again; `None` if it is not, or always was.
    pub(crate) fn recovered(&self) -> Option<Moment> {
        let record = self.record.lock();
        let last = record.history.back()?;
        (last.from != State::Healthy && last.to == State::Healthy).then_some(last.at)
    }

    /// When the endpoint may be used again: the origin of time while it is healthy, the end of time
    /// where that does not depend on time alone.
    pub(crate) fn blocked_until(&self) -> Moment {
        Moment(self.blocked_until.load(Relaxed))
    }

    fn block_until(&self, until: Moment) {
        self.blocked_until.store(until.0, Relaxed);
        self.peers.changed();
    }

    fn apply(&self, record: &mut Record, cause: Cause, now: Moment) -> Option<Transition> {
        let from = self.state();
        let to = from.next(&cause, initial(&record.plan))?;
        if from == State::Ejected && to != State::Ejected {
            self.peers.readmit();
        }
        (record.trial, record.passed, record.failed) = (false, 0, 0);
        match to {
            State::Healthy if from.is_in_service() => record.forget_failures(),
            State::Healthy | State::Unhealthy if !from.is_in_service() => record.begin_anew(),
            _ => {}
        }
        let paused = matches!(to, State::Resting | State::Ejected);
        self.troubled.store(paused || record.has_failures(), Relaxed);
        let transition = Transition { at: now, from, to, cause };
        record.remember(transition.clone());
        self.state.store(to as u8, Relaxed);
        self.block_until(blocked_until(to, record, now));
        Some(transition)
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        if self.state() == State::Ejected {
            self.peers.readmit();
        }
    }
}

/// When an endpoint in `state` since `now` may be used.
fn blocked_until(state: State, record: &Record, now: Moment) -> Moment {
    match state {
        State::Healthy => Moment(0),
        State::Resting | State::Ejected => record.pause_end(now),
        State::Unhealthy | State::Draining | State::Maintenance => Moment(u64::MAX),
    }
}

#[cfg(test)]
mod tests;
