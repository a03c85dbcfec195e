//! Which endpoints are well.
//!
//! One [`Health`] per endpoint holds one state, why it is in it and since when.
//! Real requests (passive) and health checks (active) both speak to it.
//!
//! | state | connects fail | a connect works | checks fail | checks pass |
//! |---|---|---|---|---|
//! | healthy | resting | | unhealthy | |
//! | resting | resting, longer (the trial alone) | healthy | unhealthy | healthy |
//! | unhealthy | | | | healthy |

mod cause;
mod check;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

pub use cause::Cause;
pub use check::check;

use crate::plan;
use crate::time::Moment;

/// Transitions that are kept for people to read.
const HISTORY: usize = 16;

/// Whether an endpoint gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It does.
    Healthy,
    /// It could not be connected to and gets none until its rest is over; then one request tries.
    Resting,
    /// It fails its checks and gets none until it passes them.
    Unhealthy,
}

impl State {
    /// Name in logs, metrics and the admin API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Resting => "resting",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// The table: where `cause` leads from this state; `None` if it changes nothing.
    #[rustfmt::skip]
    const fn next(self, cause: &Cause) -> Option<State> {
        match (self, cause) {
            (Self::Healthy | Self::Resting,   Cause::ConnectFailed { .. }) => Some(Self::Resting),
            (Self::Healthy | Self::Resting,   Cause::ChecksFailed { .. })  => Some(Self::Unhealthy),
            (Self::Resting,                   Cause::Connected)            => Some(Self::Healthy),
            (Self::Resting | Self::Unhealthy, Cause::ChecksPassed { .. })  => Some(Self::Healthy),
            (Self::Unhealthy,                 Cause::ChecksEnded)          => Some(Self::Healthy),
            _ => None,
        }
    }
}

/// A change of state: what a caller logs once, and what is kept to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Moment,
    /// The state before.
    pub from: State,
    /// The state since.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// Counts every change after which other endpoints may be picked than before.
///
/// Shared by the endpoints of one upstream, so that a balancer learns with one
/// load whether what it knows of all of them is still true.
#[derive(Debug, Default)]
pub struct Changes(CachePadded<AtomicU64>);

impl Changes {
    /// Changes so far.
    pub fn count(&self) -> u64 {
        self.0.load(Acquire)
    }

    /// Something changed; called after it was written.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Release);
    }
}

/// The health of one endpoint.
#[derive(Debug)]
pub struct Health {
    /// When it may be used again: 0 healthy, `u64::MAX` unhealthy, else the end of its rest.
    blocked_until: AtomicU64,
    /// Connect failures in a row.
    failures: AtomicU32,
    changes: Arc<Changes>,
    /// Locked where something fails, changes or is checked: never while all is well.
    record: Mutex<Record>,
}

#[derive(Debug)]
struct Record {
    plan: plan::Health,
    /// Rests since the endpoint was last healthy.
    rests: u32,
    /// Whether the request that tries after a rest is under way.
    trial: bool,
    /// Checks passed and failed in a row since the last transition.
    passed: u32,
    failed: u32,
    /// Oldest first; never empty.
    history: VecDeque<Transition>,
}

impl Health {
    /// A healthy endpoint, added at `now`, that counts its changes in `changes`.
    pub fn new(plan: &plan::Health, now: Moment, changes: Arc<Changes>) -> Self {
        let added =
            Transition { at: now, from: State::Healthy, to: State::Healthy, cause: Cause::Added };
        Self {
            blocked_until: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            changes,
            record: Mutex::new(Record {
                plan: plan.clone(),
                rests: 0,
                trial: false,
                passed: 0,
                failed: 0,
                history: VecDeque::from([added]),
            }),
        }
    }

    /// Judge by `plan` from now on; the state stays, except that an endpoint
    /// which is no longer checked cannot stay unhealthy.
    pub fn configure(&self, plan: &plan::Health, now: Moment) {
        let mut record = self.record.lock();
        record.plan = plan.clone();
        if plan.http.is_none() {
            self.apply(&mut record, Cause::ChecksEnded, now);
        }
    }

    /// Whether the endpoint may be used at `now`: it is healthy, or its rest is over. One relaxed load.
    pub fn available(&self, now: Moment) -> bool {
        self.blocked_until() <= now
    }

    /// Whether a request may really go to the endpoint at `now`.
    ///
    /// Like [`available`](Self::available), except that after a rest only one caller
    /// gets true: its request is the trial. If no word of it comes back, the next
    /// trial is due after another rest.
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
        self.block_until(record.rest_end(now));
        true
    }

    /// The endpoint could not be connected to.
    ///
    /// After `failures` in a row it rests. While it rests only the failure of the
    /// trial counts, and not that of requests that were sent before.
    pub fn connect_failed(&self, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        let in_a_row = self.failures.load(Relaxed).saturating_add(1);
        match self.state() {
            State::Healthy => {
                self.failures.store(in_a_row, Relaxed);
                if in_a_row < record.plan.passive.failures {
                    return None;
                }
            }
            State::Resting if record.trial => self.failures.store(in_a_row, Relaxed),
            State::Resting | State::Unhealthy => return None,
        }
        record.rests += 1;
        let rest = record.rest();
        self.apply(&mut record, Cause::ConnectFailed { in_a_row, rest }, now)
    }

    /// The endpoint could be connected to, or answered. One relaxed load while all is well.
    pub fn succeeded(&self, now: Moment) -> Option<Transition> {
        if self.failures.load(Relaxed) == 0 {
            return None; // no rest begins without a failure
        }
        let mut record = self.record.lock();
        self.failures.store(0, Relaxed);
        self.apply(&mut record, Cause::Connected, now)
    }

    /// The endpoint passed an active check.
    pub fn check_passed(&self, now: Moment) -> Option<Transition> {
        let mut record = self.record.lock();
        record.failed = 0;
        record.passed = record.passed.saturating_add(1);
        let in_a_row = record.passed;
        if in_a_row < record.plan.rise {
            return None;
        }
        self.apply(&mut record, Cause::ChecksPassed { in_a_row }, now)
    }

    /// The endpoint failed an active check; `cause` says how, for people: `status 503`, `no answer in 2 s`.
    pub fn check_failed(&self, now: Moment, cause: &str) -> Option<Transition> {
        let mut record = self.record.lock();
        record.passed = 0;
        record.failed = record.failed.saturating_add(1);
        let in_a_row = record.failed;
        if in_a_row < record.plan.fall {
            return None;
        }
        self.apply(&mut record, Cause::ChecksFailed { in_a_row, last: cause.into() }, now)
    }

    /// The state now.
    pub fn state(&self) -> State {
        match self.blocked_until() {
            Moment(0) => State::Healthy,
            Moment(u64::MAX) => State::Unhealthy,
            Moment(_) => State::Resting,
        }
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
    /// while it is unhealthy.
    pub(crate) fn blocked_until(&self) -> Moment {
        Moment(self.blocked_until.load(Relaxed))
    }

    fn block_until(&self, until: Moment) {
        self.blocked_until.store(until.0, Relaxed);
        self.changes.add();
    }

    fn apply(&self, record: &mut Record, cause: Cause, now: Moment) -> Option<Transition> {
        let from = self.state();
        let to = from.next(&cause)?;
        let until = match to {
            State::Healthy => Moment(0),
            State::Resting => record.rest_end(now),
            State::Unhealthy => Moment(u64::MAX),
        };
        if to == State::Healthy {
            self.failures.store(0, Relaxed);
            record.rests = 0;
        }
        (record.trial, record.passed, record.failed) = (false, 0, 0);
        let transition = Transition { at: now, from, to, cause };
        if record.history.len() == HISTORY {
            record.history.pop_front();
        }
        record.history.push_back(transition.clone());
        self.block_until(until);
        Some(transition)
    }
}

impl Record {
    /// Length of the current rest: twice that of the one before, up to `max_rest`.
    fn rest(&self) -> Duration {
        let passive = &self.plan.passive;
        let doubled = 2u32.saturating_pow(self.rests.saturating_sub(1));
        passive.rest.duration().saturating_mul(doubled).min(passive.max_rest.duration())
    }

    /// When a rest that begins at `now` is over. The two ends of time mean the other states.
    fn rest_end(&self, now: Moment) -> Moment {
        Moment(now.after(self.rest()).0.clamp(1, u64::MAX - 1))
    }
}

#[cfg(test)]
mod tests;
