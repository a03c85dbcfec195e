//! Which endpoints are well.
//!
//! One [`Health`] per endpoint holds one state, why it is in it and since when. Real requests and
//! a comparison with its peers (`passive`), health checks (`active`) and the operator all speak to it.
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
//! and maintenance and back; what is back begins anew, as if it was just added. One that was healthy serves on
//! while it drains, for the clients that stay with it, until what would have ended its health ends that.

mod active;
mod cause;
mod check;
mod fault;
mod outlier;
mod passive;
mod peers;
mod state;
#[cfg(test)]
pub(crate) mod testing;
mod tracker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

pub use cause::{Cause, Complaint};
pub use check::check;
pub use fault::Fault;
pub use outlier::{Comparison, Stats};
pub use peers::Peers;
pub use state::{Duty, State};
pub use tracker::Transition;

use self::tracker::{Tracker, initial};
use crate::plan;
use crate::time::Moment;

/// Marks a state whose pause is over, while the request that tries is under way.
const TRIAL: u8 = 0x80;

/// The health of one endpoint.
#[derive(Debug)]
pub struct Health {
    /// When it may be used again: 0 it may be now, `u64::MAX` not by time alone, else the end of its pause.
    blocked_until: AtomicU64,
    /// The state's number, and [`TRIAL`].
    state: AtomicU8,
    /// Whether a good answer or a connect that works would change anything.
    troubled: AtomicBool,
    peers: Arc<Peers>,
    /// Locked where something fails, changes or is checked: never while all is well.
    tracker: Mutex<Tracker>,
}

impl Health {
    /// The health of an endpoint that is added at `now` beside its `peers`.
    pub fn new(plan: &plan::Health, duty: Duty, now: Moment, peers: Arc<Peers>) -> Self {
        let state = match duty {
            Duty::Serving => initial(plan),
            Duty::Draining => State::Draining,
            Duty::Maintenance { .. } => State::Maintenance,
        };
        let tracker = Tracker::new(plan, duty, state, now);
        let blocked = match state {
            State::Draining => blocked_in_drain(State::Maintenance, plan),
            state => blocked_until(state, &tracker, now),
        };
        Self {
            blocked_until: AtomicU64::new(blocked.0),
            state: AtomicU8::new(state as u8),
            troubled: AtomicBool::new(false),
            peers,
            tracker: Mutex::new(tracker),
        }
    }

    /// Judge by `plan` and be on `duty` from now on. Otherwise the state stays, except that an
    /// endpoint which is no longer checked cannot stay unhealthy.
    pub fn configure(&self, plan: &plan::Health, duty: Duty, now: Moment) -> Option<Transition> {
        let mut tracker = self.tracker.lock();
        tracker.plan = plan.clone();
        if tracker.duty == duty {
            let checked = plan.is_active();
            return if checked { None } else { self.apply(&mut tracker, Cause::ChecksEnded, now) };
        }
        tracker.duty = duty;
        let cause = match &tracker.duty {
            Duty::Serving => Cause::Resumed,
            Duty::Draining => Cause::Drained,
            Duty::Maintenance { reason } => Cause::Maintenance { reason: reason.clone() },
        };
        self.apply(&mut tracker, cause, now)
    }

    /// Whether the endpoint may be used at `now`: it is healthy, or was until it began to drain, or its pause is
    /// over. One relaxed load.
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
        let mut tracker = self.tracker.lock();
        let until = self.blocked_until();
        if until == Moment(0) || until > now {
            return until == Moment(0); // another request was quicker
        }
        tracker.trial = true;
        self.state.fetch_or(TRIAL, Relaxed);
        self.block_until(tracker.pause_end(now));
        true
    }

    /// The state now. One relaxed load.
    pub fn state(&self) -> State {
        State::ALL[usize::from(self.state.load(Relaxed) & !TRIAL)]
    }

    /// Whether the endpoint most likely does not answer at all: it fails its checks, or cannot be
    /// connected to and is not being tried. One relaxed load.
    ///
    /// A request that waits for an endpoint which was not down when it was picked, and is now, will get no
    /// answer. (In panic mode requests go to endpoints that are down already.)
    pub fn is_down(&self) -> bool {
        let state = self.state.load(Relaxed);
        state == State::Unhealthy as u8 || state == State::Resting as u8
    }

    /// The last transitions, oldest first. The last of them says why the endpoint is in its state,
    /// and since when.
    pub fn history(&self) -> Vec<Transition> {
        self.tracker.lock().history.iter().cloned().collect()
    }

    /// When the endpoint became healthy again; `None` if it is not, or always was.
    pub(crate) fn recovered(&self) -> Option<Moment> {
        let tracker = self.tracker.lock();
        let last = tracker.history.back()?;
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

    fn apply(&self, tracker: &mut Tracker, cause: Cause, now: Moment) -> Option<Transition> {
        let from = self.state();
        let to = from.next(&cause, initial(&tracker.plan))?;
        if from == State::Ejected && to != State::Ejected {
            self.peers.readmit();
        }
        (tracker.trial, tracker.passed, tracker.failed) = (false, 0, 0);
        match to {
            State::Healthy if from.is_in_service() => tracker.forget_failures(),
            State::Healthy | State::Unhealthy if !from.is_in_service() => tracker.begin_anew(),
            _ => {}
        }
        let paused = matches!(to, State::Resting | State::Ejected);
        self.troubled.store(paused || tracker.has_failures(), Relaxed);
        let transition = Transition { at: now, from, to, cause };
        tracker.remember(transition.clone());
        self.state.store(to as u8, Relaxed);
        self.block_until(match (from, to) {
            (from, State::Draining) => blocked_in_drain(from, &tracker.plan),
            (_, to) => blocked_until(to, tracker, now),
        });
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

/// When an endpoint that drains may be used by the clients that stay with it: at once, unless it was ill
/// in the state `from`.
fn blocked_in_drain(from: State, plan: &plan::Health) -> Moment {
    match from {
        State::Healthy => Moment(0),
        State::Maintenance if initial(plan) == State::Healthy => Moment(0),
        _ => Moment(u64::MAX),
    }
}

/// When an endpoint in `state` since `now` may be used.
fn blocked_until(state: State, tracker: &Tracker, now: Moment) -> Moment {
    match state {
        State::Healthy => Moment(0),
        State::Resting | State::Ejected => tracker.pause_end(now),
        State::Unhealthy | State::Draining | State::Maintenance => Moment(u64::MAX),
    }
}

#[cfg(test)]
mod tests;
