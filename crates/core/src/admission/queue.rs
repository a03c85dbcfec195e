//! The requests that wait, by class.

use std::time::Duration;

use super::hold::Asking;
use super::lane::{DelayTarget, Lane};
use super::waited::Waited;
use crate::plan::Priority;
use crate::predict::Prediction;
use crate::time::Moment;

/// A place in a [`Queue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    class: Priority,
    number: u64,
}

/// A bounded queue in which a higher class always goes before a lower one; so what lasts too long is
/// the wait of the lower, which are shed first (the admission levels of DAGOR: Zhou et al., SoCC 2018). Where
/// it is full, a request takes the place of the last one of a lower class.
#[derive(Debug)]
pub struct Queue<T> {
    /// By class, highest first.
    lanes: [Lane<T>; Priority::ALL.len()],
    numbered: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { lanes: Default::default(), numbered: 0 }
    }
}

impl<T> Queue<T> {
    /// Add a request. With its place comes the ticket of the request that had to make room, if `bound` were waiting.
    ///
    /// # Errors
    /// The ticket, where no request of a lower class can make room.
    pub fn push(
        &mut self,
        class: Priority,
        prediction: Option<Prediction>,
        now: Moment,
        ticket: T,
        bound: usize,
    ) -> Result<(Place, Option<T>), T> {
        let mut displaced = None;
        if self.len() >= bound {
            let lower = &mut self.lanes[class as usize + 1..];
            displaced = lower.iter_mut().rev().find_map(Lane::last);
            if displaced.is_none() {
                return Err(ticket);
            }
        }
        self.numbered += 1;
        self.lanes[class as usize].push(self.numbered, prediction, now, ticket);
        Ok((Place { class, number: self.numbered }, displaced))
    }

    /// Give a place up.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        self.lanes[place.class as usize].remove(place.number)
    }

    /// Write down how the wait at this place goes, until it is [asked for](Self::watched).
    pub(super) fn watch(&mut self, place: Place) {
        self.lanes[place.class as usize].watch(place.number);
    }

    /// How the [watched](Self::watch) wait at this place went.
    pub(super) fn watched(&mut self, place: Place) -> Waited {
        self.lanes[place.class as usize].watched(place.number)
    }

    /// The next request in turn that takes what is offered.
    pub(super) fn next(&mut self, mut asking: Asking) -> Option<T> {
        self.lanes.iter_mut().find_map(|lane| lane.next(&mut asking))
    }

    /// Look how long the wait of each class is; requests that are shed are handed to `shed`.
    pub fn review(&mut self, now: Moment, delay: DelayTarget, mut shed: impl FnMut(T)) {
        for lane in &mut self.lanes {
            lane.review(now, delay, &mut shed);
        }
    }

    /// Whether some class waits so long that it is shed.
    pub fn is_shedding(&self) -> bool {
        self.lanes.iter().any(Lane::is_shedding)
    }

    /// The longest wait.
    pub fn delay(&self, now: Moment) -> Duration {
        self.lanes.iter().map(|lane| lane.delay(now)).max().unwrap_or_default()
    }

    /// Requests that wait.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(Lane::len).sum()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
