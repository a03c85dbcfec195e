//! Prequal (Wydrowski et al., *Load is not what you should balance: Introducing Prequal*, NSDI 2024).
//!
//! A few endpoints are probed for each request, and a small pool keeps their results: requests in
//! flight and latency. Of the pool, an endpoint with more in flight than a quantile of all is hot.
//! The request goes to the cold endpoint with the lowest latency; if all are hot, to the one with
//! the fewest in flight.
//!
//! A probe costs nothing here: it reads what the endpoint reported of late, or else what this process
//! saw of it. Where endpoints are probed over the network, that goes on beside the requests, and the
//! results are found here in the same way.
//!
//! Where it is predicted what a request costs, it goes where it will be over soonest (`completion`).

mod completion;
mod hot;
mod pool;
mod probe_result;
mod uses;

use std::num::NonZeroU32;

use parking_lot::Mutex;
use smallvec::SmallVec;

use self::completion::soonest;
use self::pool::Pool;
use self::probe_result::ProbeResult;
use super::candidates::Candidates;
use super::least_cost::LeastCost;
use super::least_request::LeastRequest;
use super::strength::{known_or_guessed, strength};
use super::{Pick, Policy};
use crate::plan;
use crate::time::Moment;

/// The cold endpoint with the lowest latency, by a pool of probe results.
///
/// All workers share the pool. So it turns over as fast as all of them need endpoints, and the use
/// that one makes of a result is known to the others; with a pool for each worker, results would be
/// older by the number of workers, and the workers would herd. The lock is held for about 100 ns of
/// a request's 10 µs or more. A pick that finds it taken does not wait, but takes the better of two by
/// requests in flight.
#[derive(Debug)]
pub(super) struct Prequal {
    pool: Mutex<Pool>,
    probes: u32,
    fallback: LeastCost<LeastRequest>,
}

impl Prequal {
    /// Probe and keep the results as `plan` says.
    pub(super) fn new(plan: &plan::Prequal) -> Self {
        let fallback = LeastCost::new(LeastRequest, NonZeroU32::new(2));
        Self { pool: Mutex::new(Pool::new(plan)), probes: plan.probes.get(), fallback }
    }
}

impl Policy for Prequal {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        if let Some(cost) = pick.cost
            && let Some(soonest) = soonest(from, cost, pick)
        {
            return soonest;
        }
        let chosen = self.pool.try_lock().and_then(|mut pool| {
            let members = from.view.members();
            // All probes before any of the rest: they wait for memory side by side.
            let mut results = SmallVec::<[ProbeResult; 4]>::new();
            for _ in 0..self.probes {
                let member = members[pick.random.below(members.len() as u64) as usize];
                results.push(probe(from, member as usize, pick.now));
            }
            pool.expire(pick.now);
            for result in results {
                pool.add(result, members.len(), pick.random);
            }
            pool.take(|endpoint| from.allow(endpoint))
        });
        chosen.unwrap_or_else(|| self.fallback.choose(from, pick))
    }
}

/// What is known of `endpoint` at `now`.
fn probe(from: &Candidates<'_>, endpoint: usize, now: Moment) -> ProbeResult {
    let load = &from.endpoints[endpoint].load;
    let step = 1.0 / strength(from, endpoint, now);
    let in_flight = match load.others(now) {
        Some(others) => f64::from(load.in_flight()) + f64::from(others),
        None => f64::INFINITY,
    };
    let latency = known_or_guessed(load.expected(now), load, now);
    ProbeResult {
        endpoint: endpoint as u32,
        at: now,
        burden: ((in_flight + 1.0) * step) as f32,
        latency: (latency * step) as f32,
        step: step as f32,
    }
}

#[cfg(test)]
mod tests;
