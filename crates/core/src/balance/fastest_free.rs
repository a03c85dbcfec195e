//! Fastest free.

use std::num::NonZeroU32;

use super::candidates::Candidates;
use super::least_cost::{Cost, LeastCost};
use super::least_request::LeastRequest;
use super::{Pick, Policy};
use crate::load::{Foreseen, Load};
use crate::time::Moment;

/// What a worker costs that is not free: more than any that is.
const BUSY: f64 = 1e9;
/// What the last free worker costs more than the first, since by then it may be taken.
const LAST: f64 = 0.5;
/// Endpoints that are looked at for a free worker when those that were drawn have none.
const MOST_LOOKED_AT: usize = 64;

/// The endpoint that is quickest of those that have a worker free, as far as the
/// [forecast](super::forecast) knows; by fewest requests in flight where it does not, and the quickest of those that have
/// none: so a request that comes alone goes where such requests were answered soonest.
///
/// A request that has to wait waits best where it can still go anywhere (late binding: Ousterhout et al.,
/// *Sparrow*, SOSP 2013): in the gateway's queue, for the endpoint that is free first.
#[derive(Debug)]
pub(super) struct FastestFree(LeastCost<Occupation>);

impl FastestFree {
    /// Compare `choices` endpoints; `None`: all.
    pub(super) fn new(choices: Option<NonZeroU32>) -> Self {
        Self(LeastCost::new(Occupation, choices))
    }
}

impl Policy for FastestFree {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let chosen = self.0.choose(from, pick);
        let busy = |member: usize| from.endpoints[member].load.is_busy();
        if !busy(chosen) || self.0.compares_all(from) {
            return chosen;
        }
        let mut looked_at = from.rotated(pick.random).take(MOST_LOOKED_AT);
        looked_at.find(|&member| from.allow(member) && !busy(member)).unwrap_or(chosen)
    }

    fn cost(&self, from: &Candidates<'_>, endpoint: usize, now: Moment) -> Option<f64> {
        self.0.cost(from, endpoint, now)
    }
}

/// How much longer than usual a request takes there, a little more the fewer workers are free; ÷ strength.
#[derive(Debug)]
struct Occupation;

impl Cost for Occupation {
    fn of(&self, load: &Load, strength: f64, now: Moment) -> f64 {
        let Foreseen { workers, pace } = load.foreseen();
        let (Some(pace), in_flight) = (pace.map(f64::from), load.in_flight()) else {
            return LeastRequest.of(load, strength, now);
        };
        let cost = match workers.map(|workers| f64::from(in_flight) / f64::from(workers)) {
            Some(occupied) if occupied < 1.0 => pace * (1.0 + LAST * occupied),
            Some(occupied) => BUSY * occupied,
            // As with one of usual pace, or somewhere between none and two in flight.
            None if in_flight == 0 => 2.0 * pace / (1.0 + pace),
            None => return LeastRequest.of(load, strength, now),
        };
        cost / strength
    }
}
