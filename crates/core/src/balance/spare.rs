//! What a request gets that is sent now, where it could wait for something better.

use smallvec::SmallVec;

use super::Balancer;
use crate::load::Foreseen;

/// An endpoint is quick if requests take no longer there than at the quickest, times this.
const QUICK: f32 = 1.25;
/// Endpoints that are looked at.
const MOST_LOOKED_AT: usize = 64;

/// Whether an endpoint of this pace is quick beside the quickest.
pub(super) fn is_quick(pace: f32, quickest: f32) -> bool {
    pace <= quickest * QUICK
}

/// What a request gets that is sent now: a slow worker, or a place behind busy ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spare {
    /// How many times longer requests take there than at the quickest endpoint; infinite: all workers are busy.
    pub slower: f32,
    /// How many workers the quick endpoints have.
    pub quick: u32,
}

impl Balancer {
    /// Requests that the endpoints together work on at a time, slow ones counted for the part of it that they do;
    /// infinite where that is not known.
    pub fn capacity(&self) -> f32 {
        self.forecast().map_or(f32::INFINITY, |forecast| forecast.capacity())
    }

    /// What a request gets that goes in after the `inside`; `None`: a free worker as quick as any, or nothing is
    /// known of workers and pace. Three loads, unless endpoints differ in pace or all workers are busy.
    pub fn spare(&self, inside: u32) -> Option<Spare> {
        let forecast = self.forecast().filter(|forecast| forecast.is_known())?;
        let spare = |slower| Some(Spare { slower, quick: forecast.quick() });
        if inside >= forecast.workers() {
            // A trial is for the next in turn, heavy or light: else it would say nothing of the workers.
            return if forecast.is_trial() { None } else { spare(f32::INFINITY) };
        }
        if !forecast.is_uneven() {
            return None;
        }
        let known = self.look(inside)?;
        let quickest = known.iter().map(|one| one.pace).fold(f32::INFINITY, f32::min);
        // Those that went in and were not sent yet take the quickest.
        let in_flight = self.endpoints().total().in_flight();
        let mut ahead = u64::from(inside).saturating_sub(in_flight) as u32;
        let free = known.iter().find(|one| {
            let is_left = one.free > ahead;
            ahead = ahead.saturating_sub(one.free);
            is_left
        });
        match free {
            Some(free) if is_quick(free.pace, quickest) => None,
            Some(free) => spare(free.pace / quickest),
            None => spare(f32::INFINITY),
        }
    }

    /// Endpoints, the quickest first; `None` where something is not known of one.
    fn look(&self, inside: u32) -> Option<SmallVec<[Known; MOST_LOOKED_AT]>> {
        let (endpoints, outlook) = (self.endpoints(), self.outlook());
        let count = endpoints.len();
        let looked_at = count.min(MOST_LOOKED_AT);
        // Others each time, where there are more.
        let first = if looked_at == count { 0 } else { inside as usize * MOST_LOOKED_AT % count };
        let mut known = SmallVec::new();
        for index in (first..first + looked_at).map(|index| index % count) {
            if outlook.holding(None, index).is_none() {
                continue;
            }
            let load = &endpoints[index].load;
            let Foreseen { workers: Some(workers), pace: Some(pace) } = load.foreseen() else {
                return None;
            };
            known.push(Known { pace, free: workers.saturating_sub(load.in_flight()) });
        }
        known.sort_unstable_by(|one: &Known, other| one.pace.total_cmp(&other.pace));
        Some(known)
    }
}

/// What is known of one endpoint.
struct Known {
    pace: f32,
    free: u32,
}
