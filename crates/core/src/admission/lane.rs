//! The requests of one class that wait.
//!
//! Usually a lane is first in, first out, and all of it is served. A wait that is long for a moment
//! is a burst; one that is long all the time is a standing queue, which serves nothing (the good and the bad
//! queue of Nichols and Jacobson, *Controlling Queue Delay*, CACM 2012). So a lane looks at its oldest
//! request: once that has waited longer than a target for a whole interval, the lane sheds what
//! waits longer than the target, and serves the newest first, since its client most likely still listens
//! (adaptive LIFO; Maurer, *Fail at Scale*, ACM Queue 2015). It goes back when for an interval nothing
//! had to be shed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan;
use crate::time::Moment;

/// When a wait is too long (CoDel's parameters).
#[derive(Debug, Clone, Copy)]
pub struct DelayTarget {
    /// A wait above this is too long where it lasts.
    pub target: Duration,
    /// How long it must last.
    pub interval: Duration,
}

impl DelayTarget {
    /// No shorter than the usual residence time: a request that waits as long as that is answered in twice the
    /// usual time, which is no reason to shed it.
    pub(super) fn at_least(self, residence: Duration) -> Self {
        Self { target: self.target.max(residence), interval: self.interval.max(residence) }
    }
}

impl From<&plan::Queueing> for DelayTarget {
    fn from(plan: &plan::Queueing) -> Self {
        Self { target: plan.target.duration(), interval: plan.interval.duration() }
    }
}

/// A queue of one class.
#[derive(Debug)]
pub(super) struct Lane<T> {
    waiting: BTreeMap<u64, Waiter<T>>,
    pressure: Pressure,
}

#[derive(Debug)]
struct Waiter<T> {
    since: Moment,
    ticket: T,
}

#[derive(Debug, Clone, Copy)]
enum Pressure {
    /// The oldest has not waited longer than the target.
    Normal,
    /// It has, since this moment.
    Rising(Moment),
    /// It did for an interval. The last request was shed at this moment.
    Shedding(Moment),
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), pressure: Pressure::Normal }
    }
}

impl<T> Lane<T> {
    /// Add a request at the end. Numbers grow.
    pub(super) fn push(&mut self, number: u64, now: Moment, ticket: T) {
        self.waiting.insert(number, Waiter { since: now, ticket });
    }

    /// Take a request out.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        self.waiting.remove(&number).map(|waiter| waiter.ticket)
    }

    /// The next request in turn.
    pub(super) fn pop(&mut self) -> Option<T> {
        let next = match self.pressure {
            Pressure::Shedding(_) => self.waiting.pop_last(),
            _ => self.waiting.pop_first(),
        };
        next.map(|(_, waiter)| waiter.ticket)
    }

    /// The request that would be served last.
    pub(super) fn last(&mut self) -> Option<T> {
        let last = match self.pressure {
            Pressure::Shedding(_) => self.waiting.pop_first(),
            _ => self.waiting.pop_last(),
        };
        last.map(|(_, waiter)| waiter.ticket)
    }

    /// Look how long the wait is; requests that are shed are handed to `shed`.
    pub(super) fn review(&mut self, now: Moment, delay: DelayTarget, shed: &mut impl FnMut(T)) {
        self.pressure = match self.pressure {
            Pressure::Shedding(mut last) => {
                while let Some(oldest) = self.waiting.first_entry()
                    && now.since(oldest.get().since) > delay.target
                {
                    shed(oldest.remove().ticket);
                    last = now;
                }
                match now.since(last) >= delay.interval {
                    true => Pressure::Normal,
                    false => Pressure::Shedding(last),
                }
            }
            normal_or_rising => {
                let since = match normal_or_rising {
                    Pressure::Rising(since) => since,
                    _ => now,
                };
                let oldest = self.waiting.first_key_value();
                match oldest.is_some_and(|(_, oldest)| now.since(oldest.since) > delay.target) {
                    false => Pressure::Normal,
                    true if now.since(since) < delay.interval => Pressure::Rising(since),
                    true => {
                        self.pressure = Pressure::Shedding(now);
                        return self.review(now, delay, shed);
                    }
                }
            }
        };
    }

    /// Whether the wait is so long, for so long, that it sheds.
    pub(super) fn is_shedding(&self) -> bool {
        matches!(self.pressure, Pressure::Shedding(_))
    }

    /// The longest wait.
    pub(super) fn delay(&self, now: Moment) -> Duration {
        self.waiting.first_key_value().map_or(Duration::ZERO, |(_, oldest)| now.since(oldest.since))
    }

    /// Requests that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
