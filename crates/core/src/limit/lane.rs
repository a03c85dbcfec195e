//! Those of one class who wait.
//!
//! In peace a lane is first in, first out, and everybody is served. A wait that is long for a moment
//! is a burst; one that is long all the time is a queue that helps nobody (the good and the bad queue of
//! Nichols and Jacobson, *Controlling Queue Delay*, CACM 2012). So a lane looks at its
//! oldest: once the oldest has waited longer than a target for a whole interval, the lane sheds whoever
//! waits longer than the target, and serves the newest first, whose clients still listen
//! (adaptive LIFO; Maurer, *Fail at Scale*, ACM Queue 2015). It goes back when for an
//! interval nobody had to be shed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan;
use crate::time::Moment;

/// How long waiting is borne.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A wait that is longer than this, for long, is too long.
    pub target: Duration,
    /// For how long.
    pub interval: Duration,
}

impl From<&plan::Queueing> for Patience {
    fn from(plan: &plan::Queueing) -> Self {
        Self { target: plan.target.duration(), interval: plan.interval.duration() }
    }
}

/// A queue of one class.
#[derive(Debug)]
pub(super) struct Lane<T> {
    waiting: BTreeMap<u64, Waiter<T>>,
    mood: Mood,
}

#[derive(Debug)]
struct Waiter<T> {
    since: Moment,
    ticket: T,
}

#[derive(Debug, Clone, Copy)]
enum Mood {
    /// The oldest has not waited longer than the target.
    Calm,
    /// It has, since then.
    Strained(Moment),
    /// It did for an interval. Somebody was shed last then.
    Shedding(Moment),
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), mood: Mood::Calm }
    }
}

impl<T> Lane<T> {
    /// Join at the end. Numbers grow.
    pub(super) fn push(&mut self, number: u64, now: Moment, ticket: T) {
        self.waiting.insert(number, Waiter { since: now, ticket });
    }

    /// Leave.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        self.waiting.remove(&number).map(|waiter| waiter.ticket)
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let next = match self.mood {
            Mood::Shedding(_) => self.waiting.pop_last(),
            _ => self.waiting.pop_first(),
        };
        next.map(|(_, waiter)| waiter.ticket)
    }

    /// The one who is served last.
    pub(super) fn last(&mut self) -> Option<T> {
        let last = match self.mood {
            Mood::Shedding(_) => self.waiting.pop_first(),
            _ => self.waiting.pop_last(),
        };
        last.map(|(_, waiter)| waiter.ticket)
    }

    /// Look how long the wait is; hand those who are shed to `shed`.
    pub(super) fn review(&mut self, now: Moment, patience: Patience, shed: &mut impl FnMut(T)) {
        self.mood = match self.mood {
            Mood::Shedding(mut last) => {
                while let Some(oldest) = self.waiting.first_entry()
                    && now.since(oldest.get().since) > patience.target
                {
                    shed(oldest.remove().ticket);
                    last = now;
                }
                match now.since(last) >= patience.interval {
                    true => Mood::Calm,
                    false => Mood::Shedding(last),
                }
            }
            calm_or_strained => {
                let since = match calm_or_strained {
                    Mood::Strained(since) => since,
                    _ => now,
                };
                let oldest = self.waiting.first_key_value();
                match oldest.is_some_and(|(_, one)| now.since(one.since) > patience.target) {
                    false => Mood::Calm,
                    true if now.since(since) < patience.interval => Mood::Strained(since),
                    true => {
                        self.mood = Mood::Shedding(now);
                        return self.review(now, patience, shed);
                    }
                }
            }
        };
    }

    /// Whether the wait is so long, for so long, that it sheds.
    pub(super) fn is_shedding(&self) -> bool {
        matches!(self.mood, Mood::Shedding(_))
    }

    /// How long the one who has waited longest has.
    pub(super) fn delay(&self, now: Moment) -> Duration {
        self.waiting.first_key_value().map_or(Duration::ZERO, |(_, one)| now.since(one.since))
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
