//! The requests of one class that wait.
//!
//! Usually a lane is first in, first out, and all of it is served. A wait that is long for a moment
//! is a burst; one that is long all the time is a standing queue, which serves nothing (the good and the bad
//! queue of Nichols and Jacobson, *Controlling Queue Delay*, CACM 2012). So a lane looks at its oldest
//! request: once that has waited longer than a target for a whole interval, the lane sheds what
//! waits longer than the target, and serves the newest first, since its client most likely still listens
//! (adaptive LIFO; Maurer, *Fail at Scale*, ACM Queue 2015). It goes back when for an interval nothing
//! had to be shed.
//!
//! A request of which a cost is predicted may go before others by its [boost](Prediction::boost). So what is served
//! next and what has waited longest are two orders; a lane that sheds goes by the second alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::hold::Asking;
use super::waited::Waited;
use crate::plan;
use crate::predict::Prediction;
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
    /// By number, which is the order in which they came.
    waiting: BTreeMap<u64, Waiter<T>>,
    /// In the order in which they are served while nothing is shed: by arrival − boost, then by number.
    turns: BTreeSet<(Moment, u64)>,
    /// How the wait of those goes, or went, that are watched: few.
    watched: BTreeMap<u64, Waited>,
    /// When the last one came.
    last: Moment,
    pressure: Pressure,
}

#[derive(Debug)]
struct Waiter<T> {
    since: Moment,
    turn: Moment,
    /// What it is predicted to cost.
    cost: Option<Duration>,
    ticket: T,
}

impl<T> Waiter<T> {
    /// Whether it has waited too long: longer than the target, and than its own cost, since then it is answered
    /// in more than twice the time that it takes.
    fn is_overdue(&self, now: Moment, target: Duration) -> bool {
        now.since(self.since) > target.max(self.cost.unwrap_or_default())
    }
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
        Self {
            waiting: BTreeMap::new(),
            turns: BTreeSet::new(),
            watched: BTreeMap::new(),
            last: Moment::default(),
            pressure: Pressure::Normal,
        }
    }
}

impl<T> Lane<T> {
    /// Add a request. Numbers grow.
    pub(super) fn push(
        &mut self,
        number: u64,
        prediction: Option<Prediction>,
        now: Moment,
        ticket: T,
    ) {
        // Threads may come here in another order than they read the clock.
        self.last = self.last.max(now);
        let turn = self.last.before(prediction.map_or(Duration::ZERO, |it| it.boost));
        self.turns.insert((turn, number));
        let cost = prediction.map(|it| it.cost);
        self.waiting.insert(number, Waiter { since: now, turn, cost, ticket });
    }

    /// Take a request out.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let waiter = self.waiting.remove(&number)?;
        self.turns.remove(&(waiter.turn, number));
        Some(waiter.ticket)
    }

    /// Write down how the wait of a request goes, until it is [asked for](Self::watched).
    pub(super) fn watch(&mut self, number: u64) {
        self.watched.insert(number, Waited::default());
    }

    /// How the [watched](Self::watch) wait of a request went.
    pub(super) fn watched(&mut self, number: u64) -> Waited {
        self.watched.remove(&number).unwrap_or_default()
    }

    /// The next request in turn that takes what is offered.
    pub(super) fn next(&mut self, asking: &mut Asking) -> Option<T> {
        let Self { waiting, watched, .. } = self;
        let mut takes = |number: &u64| {
            let takes = asking.takes(waiting[number].cost);
            if !takes && let Some(waited) = watched.get_mut(number) {
                waited.declined = asking.asked().or(waited.declined);
            }
            takes
        };
        let next = match self.pressure {
            Pressure::Shedding(_) => waiting.keys().rev().copied().find(&mut takes),
            _ => self.turns.iter().map(|&(_, number)| number).find(&mut takes),
        }?;
        let earlier = watched.range_mut(..next);
        earlier
            .filter(|(number, _)| waiting.contains_key(number))
            .for_each(|(_, waited)| waited.overtaken += 1);
        self.remove(next)
    }

    /// The request that would be served last.
    pub(super) fn last(&mut self) -> Option<T> {
        let last = match self.pressure {
            Pressure::Shedding(_) => *self.waiting.first_key_value()?.0,
            _ => self.turns.last()?.1,
        };
        self.remove(last)
    }

    /// Look how long the wait is; requests that are shed are handed to `shed`.
    pub(super) fn review(&mut self, now: Moment, delay: DelayTarget, shed: &mut impl FnMut(T)) {
        self.pressure = match self.pressure {
            Pressure::Shedding(mut last) => {
                while let Some(overdue) = self.overdue(now, delay.target) {
                    self.remove(overdue).into_iter().for_each(&mut *shed);
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
                match self.overdue(now, delay.target).is_some() {
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

    /// The oldest request that has waited too long.
    fn overdue(&self, now: Moment, target: Duration) -> Option<u64> {
        let mut long = self.waiting.iter().take_while(|(_, one)| now.since(one.since) > target);
        long.find(|(_, one)| one.is_overdue(now, target)).map(|(&number, _)| number)
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
