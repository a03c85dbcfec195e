//! The workers that are free, where endpoints differ in pace.

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

/// The quickest worker that is free, where quicker ones are busy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spare {
    /// How many times longer requests take there than at the quickest endpoint.
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

    /// The quickest free worker that a request gets which goes in after the `inside`; `None` where it is as quick as any, where none is
    /// free, and where workers or pace are not known. A load where all endpoints are quick.
    pub fn spare(&self, inside: u32) -> Option<Spare> {
        self.forecast().filter(|forecast| forecast.is_uneven())?;
        let (endpoints, outlook) = (self.endpoints(), self.outlook());
        let count = endpoints.len();
        let looked_at = count.min(MOST_LOOKED_AT);
        // Others each time, where there are more.
        let first = if looked_at == count { 0 } else { inside as usize * MOST_LOOKED_AT % count };
        let (mut quickest, mut known) = (f32::INFINITY, SmallVec::<[Known; MOST_LOOKED_AT]>::new());
        for index in (first..first + looked_at).map(|index| index % count) {
            if outlook.holding(None, index).is_none() {
                continue;
            }
            let load = &endpoints[index].load;
            let Foreseen { workers: Some(workers), pace: Some(pace) } = load.foreseen() else {
                return None;
            };
            quickest = quickest.min(pace);
            known.push(Known { pace, workers, free: workers.saturating_sub(load.in_flight()) });
        }
        known.sort_unstable_by(|one, other| one.pace.total_cmp(&other.pace));
        // Those that went in and were not sent yet take the quickest.
        let mut ahead = u64::from(inside).saturating_sub(endpoints.total().in_flight()) as u32;
        let free = known.iter().find(|one| {
            let is_left = one.free > ahead;
            ahead = ahead.saturating_sub(one.free);
            is_left
        })?;
        let quick = known.iter().filter(|one| is_quick(one.pace, quickest));
        (!is_quick(free.pace, quickest)).then(|| Spare {
            slower: free.pace / quickest,
            quick: quick.map(|one| one.workers).sum::<u32>() * (count / looked_at) as u32,
        })
    }
}

/// What is known of one endpoint.
struct Known {
    pace: f32,
    workers: u32,
    free: u32,
}
