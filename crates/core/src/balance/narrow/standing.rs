//! How the endpoints stand at one moment.

use super::SlowStart;
use crate::balance::{Endpoint, Endpoints};
use crate::time::Moment;

/// Parts that weights are counted in while some are smaller than configured.
const FINENESS: u32 = 256;

/// How one endpoint stands at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Its weight as configured, also while it takes no requests.
    pub(super) capacity: u32,
    /// Its weight now, beside the others'.
    pub(super) weight: u32,
    /// The part of its weight that it has now.
    pub(super) readiness: f32,
    /// Whether new requests may come to it at all, well or not.
    pub(super) open: bool,
    /// Whether it is open, and well or to be tried.
    pub(super) available: bool,
    /// Whether its rest is over, so that it takes one request, its trial.
    pub(super) trial: bool,
}

impl Standing {
    /// How each of `endpoints` stands at `now`, and until when, unless something changes.
    pub(super) fn of_all(
        endpoints: &Endpoints,
        slow_start: Option<&SlowStart>,
        now: Moment,
    ) -> (Vec<Self>, Moment) {
        let mut until = Moment(u64::MAX);
        let mut standings: Vec<_> = endpoints
            .iter()
            .map(|endpoint| {
                let (standing, blocked) = Self::of(endpoint, slow_start, now);
                if standing.open && blocked > now {
                    until = until.min(blocked);
                }
                standing
            })
            .collect();
        if let Some(slow_start) = slow_start
            && standings.iter().any(|standing| standing.readiness < 1.0)
        {
            until = until.min(now.after(slow_start.step()));
            scale(&mut standings);
        }
        (standings, until)
    }

    /// How `endpoint` stands at `now`, and when it may be used again.
    fn of(endpoint: &Endpoint, slow_start: Option<&SlowStart>, now: Moment) -> (Self, Moment) {
        let (open, blocked) = (endpoint.is_open(), endpoint.health.blocked_until());
        let weight = endpoint.weight();
        let readiness = slow_start.map_or(1.0, |slow| slow.readiness(endpoint, now) as f32);
        let available = open && blocked <= now;
        let trial = available && blocked > Moment(0);
        (Self { capacity: weight, weight, readiness, open, available, trial }, blocked)
    }
}

/// Multiply all weights by the same and each by its readiness.
fn scale(standings: &mut [Standing]) {
    let most = standings.iter().map(|standing| standing.capacity).max().unwrap_or(0);
    let fineness = f64::from((u32::MAX / most.max(1)).clamp(1, FINENESS));
    for standing in standings.iter_mut().filter(|standing| standing.capacity > 0) {
        let exact = f64::from(standing.capacity) * fineness * f64::from(standing.readiness);
        standing.weight = (exact.round() as u32).max(1);
    }
}
