//! How the endpoints stand at one moment.

use super::SlowStart;
use crate::balance::Endpoints;
use crate::time::Moment;

/// Parts that weights are counted in while some are smaller than configured.
const FINENESS: u32 = 256;

/// How all endpoints of an upstream stand at one moment.
#[derive(Debug)]
pub(in crate::balance) struct Standing {
    /// By endpoint.
    pub(in crate::balance) endpoints: Vec<Stand>,
    /// Changes that had been counted.
    pub(super) changes: u64,
    /// When it changes by itself.
    pub(super) until: Moment,
}

/// How one endpoint stands.
#[derive(Debug, Clone, Copy)]
pub(in crate::balance) struct Stand {
    /// Its weight as configured, also while it takes no requests.
    pub(super) capacity: u32,
    /// Its weight now, beside the others'.
    pub(in crate::balance) weight: u32,
    /// The part of its weight that it has now.
    pub(in crate::balance) readiness: f32,
    /// Whether new requests may come to it at all, well or not.
    pub(in crate::balance) open: bool,
    /// Whether it is open, and well or to be tried.
    pub(in crate::balance) available: bool,
    /// Whether its rest is over, so that it takes one request, its trial.
    pub(in crate::balance) trial: bool,
}

impl Standing {
    pub(super) fn new(endpoints: &Endpoints, slow_start: Option<&SlowStart>, now: Moment) -> Self {
        // First, so that a change during the loop makes the outlook stale.
        let changes = endpoints.changes();
        let mut until = Moment(u64::MAX);
        let mut stands: Vec<Stand> = endpoints
            .iter()
            .map(|endpoint| {
                let (open, blocked) = (endpoint.is_open(), endpoint.health.blocked_until());
                if open && blocked > now {
                    until = until.min(blocked);
                }
                let weight = endpoint.weight();
                let readiness = slow_start.map_or(1.0, |slow| slow.readiness(endpoint, now) as f32);
                let available = open && blocked <= now;
                let trial = available && blocked > Moment(0);
                Stand { capacity: weight, weight, readiness, open, available, trial }
            })
            .collect();
        if let Some(slow_start) = slow_start
            && stands.iter().any(|stand| stand.readiness < 1.0)
        {
            until = until.min(now.after(slow_start.step()));
            scale(&mut stands);
        }
        Self { endpoints: stands, changes, until }
    }

    /// Whether one of `members` is available.
    pub(super) fn any_available(&self, members: &[u32]) -> bool {
        members.iter().any(|&member| self.endpoints[member as usize].available)
    }

    /// Whether so little of the weight of the open `members` is available that it would be crushed: less than
    /// this part.
    pub(super) fn is_scarce(&self, members: &[u32], part: f64) -> bool {
        let weight = |of: fn(&Stand) -> bool| -> u64 {
            let stands = members.iter().map(|&member| &self.endpoints[member as usize]);
            stands.filter(|stand| of(stand)).map(|stand| u64::from(stand.capacity)).sum()
        };
        let available = weight(|stand| stand.available);
        available == 0 || (available as f64) < weight(|stand| stand.open) as f64 * part
    }

    /// What is available of the weight of `members`, and all of it.
    pub(super) fn capacity(&self, members: &[u32]) -> (u64, u64) {
        members.iter().map(|&member| self.endpoints[member as usize]).fold(
            (0, 0),
            |(available, all), stand| {
                let capacity = u64::from(stand.capacity);
                (available + if stand.available { capacity } else { 0 }, all + capacity)
            },
        )
    }
}

/// Multiply all weights by the same and each by its readiness.
fn scale(stands: &mut [Stand]) {
    let most = stands.iter().map(|stand| stand.capacity).max().unwrap_or(0);
    let fineness = f64::from((u32::MAX / most.max(1)).clamp(1, FINENESS));
    for stand in stands.iter_mut().filter(|stand| stand.capacity > 0) {
        let exact = f64::from(stand.capacity) * fineness * f64::from(stand.readiness);
        stand.weight = (exact.round() as u32).max(1);
    }
}
