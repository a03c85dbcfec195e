//! What an endpoint's health remembers.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Cause, Duty, Fault, State};
use crate::plan;
use crate::time::Moment;

/// Transitions that are kept for people to read.
pub(super) const HISTORY: usize = 16;

/// A change of state: what a caller logs once, and what is kept to be read.
#[derive(Debug, Clone, PartialEq)]
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

/// What is only needed where something fails, changes or is checked.
#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) plan: plan::Health,
    pub(super) duty: Duty,
    /// Whether the request that tries after a pause is under way.
    pub(super) trial: bool,
    /// In a row: connects that failed, gateway errors, answers of 500 and above.
    pub(super) connect_failures: u32,
    pub(super) gateway_errors: u32,
    pub(super) server_errors: u32,
    /// In a row: connections that broke or did not come about, and nothing else that failed.
    pub(super) broken: u32,
    /// Checks passed and failed in a row since the last transition.
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// Whether it began unhealthy and waits for its first check, which decides alone if it passes.
    pub(super) unchecked: bool,
    /// Rests and ejections that are not forgiven yet.
    pub(super) repetitions: u32,
    /// Length of the rest or ejection that there is, or of the last one.
    pub(super) pause: Duration,
    /// Oldest first; never empty.
    pub(super) history: VecDeque<Transition>,
}

impl Tracker {
    pub(super) fn new(plan: &plan::Health, duty: Duty, state: State, now: Moment) -> Self {
        let added = Transition { at: now, from: state, to: state, cause: Cause::Added };
        let mut tracker = Self {
            plan: plan.clone(),
            duty,
            trial: false,
            connect_failures: 0,
            gateway_errors: 0,
            server_errors: 0,
            broken: 0,
            passed: 0,
            failed: 0,
            unchecked: false,
            repetitions: 0,
            pause: Duration::ZERO,
            history: VecDeque::from([added]),
        };
        tracker.begin_anew();
        tracker
    }

    /// Know nothing of the endpoint.
    pub(super) fn begin_anew(&mut self) {
        (self.repetitions, self.passed, self.failed) = (0, 0, 0);
        self.forget_failures();
        self.unchecked = initial(&self.plan) == State::Unhealthy;
    }

    /// One more fault in a row.
    pub(super) fn count(&mut self, fault: Fault) {
        let one_more = |count: u32, counts: bool| if counts { count.saturating_add(1) } else { 0 };
        self.server_errors = one_more(self.server_errors, true);
        self.gateway_errors = one_more(self.gateway_errors, fault != Fault::Server);
        self.broken = one_more(self.broken, fault == Fault::Broken);
    }

    pub(super) fn forget_failures(&mut self) {
        (self.connect_failures, self.gateway_errors, self.server_errors) = (0, 0, 0);
        self.broken = 0;
    }

    pub(super) fn has_failures(&self) -> bool {
        (self.connect_failures, self.gateway_errors, self.server_errors) != (0, 0, 0)
    }

    /// Begin the next pause: `first` long, twice that with each repetition, at most `longest`. An
    /// endpoint that was healthy meanwhile is forgiven one repetition for each interval.
    pub(super) fn lengthen(
        &mut self,
        first: plan::Timeout,
        longest: plan::Timeout,
        from: State,
        now: Moment,
    ) -> Duration {
        if from == State::Healthy {
            let healthy = now.since(self.history.back().map_or(now, |last| last.at));
            let intervals = healthy.as_millis() / u128::from(self.plan.outlier.interval.get());
            let forgiven = u32::try_from(intervals).unwrap_or(u32::MAX);
            self.repetitions = self.repetitions.saturating_sub(forgiven);
        }
        self.repetitions = self.repetitions.saturating_add(1);
        let doubled = 2u32.saturating_pow(self.repetitions - 1);
        self.pause = first.duration().saturating_mul(doubled).min(longest.duration());
        self.pause
    }

    /// When a pause that begins at `now` is over. The two ends of time mean other states.
    pub(super) fn pause_end(&self, now: Moment) -> Moment {
        Moment(now.after(self.pause).0.clamp(1, u64::MAX - 1))
    }

    pub(super) fn remember(&mut self, transition: Transition) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(transition);
    }
}

/// The state in which an endpoint begins to serve.
pub(super) fn initial(plan: &plan::Health) -> State {
    match plan.initial {
        plan::InitialHealth::Unhealthy if plan.is_active() => State::Unhealthy,
        _ => State::Healthy,
    }
}
