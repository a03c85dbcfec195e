//! Picking an endpoint.
//!
//! A [`Balancer`] first narrows an upstream's endpoints down to those that may be
//! picked (`narrow`, `view`), which is the same for all policies, and then lets its
//! policy choose among these `candidates`. A new policy costs its own file, a variant of
//! [`plan::BalancePolicy`] and a line in `policy`.

mod balancer;
mod bounded;
mod c3;
mod candidates;
mod check;
mod endpoint;
mod explain;
mod fastest_free;
mod first_available;
mod forecast;
mod least_cost;
mod least_request;
mod maglev;
mod narrow;
mod peak_ewma;
mod pick;
mod prequal;
mod random;
mod rendezvous;
mod ring_hash;
mod round_robin;
mod splitmix;
mod sticky;
mod strength;
mod tally;
mod view;

use std::num::NonZeroU32;
use std::sync::Arc;

pub use balancer::{Balancer, Surroundings};
pub use check::check;
pub use endpoint::{Endpoint, Endpoints};
pub use explain::{Candidate, MOST_LISTED};
pub use pick::{Pick, Unpicked, hash_key};
pub use splitmix::SplitMix64;
pub use sticky::Sticky;

use self::bounded::Bounded;
use self::candidates::Candidates;
use self::least_cost::LeastCost;
use crate::plan::{self, BalancePolicy};
use crate::time::Moment;

/// A policy: chooses among endpoints that may all be picked.
trait Policy: Send + Sync + std::fmt::Debug {
    /// The chosen endpoint: one of the candidates that is not to be avoided; there is at least one.
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize;

    /// What `endpoint` costs at `now`, where the policy takes the one of the lowest cost.
    fn cost(&self, _from: &Candidates<'_>, _endpoint: usize, _now: Moment) -> Option<f64> {
        None
    }
}

/// The registry: the policy of `upstream` for those of its endpoints that `members` names.
fn policy(upstream: &plan::Upstream, members: &[u32]) -> Arc<dyn Policy> {
    let (balance, endpoints) = (&upstream.balance, &upstream.endpoints);
    let (bound, choices) = (balance.load_bound.get(), balance.choices.map(NonZeroU32::get));
    match balance.policy {
        BalancePolicy::RoundRobin => Arc::new(round_robin::RoundRobin::default()),
        BalancePolicy::Random => Arc::new(random::Random),
        BalancePolicy::FastestFree => Arc::new(fastest_free::FastestFree::new(choices)),
        BalancePolicy::LeastRequest => {
            Arc::new(LeastCost::new(least_request::LeastRequest, choices))
        }
        BalancePolicy::PeakEwma => Arc::new(LeastCost::new(peak_ewma::PeakEwma, choices)),
        BalancePolicy::Prequal => Arc::new(prequal::Prequal::new(&balance.prequal)),
        BalancePolicy::C3 => {
            Arc::new(LeastCost::new(c3::C3 { clients: balance.clients.get() }, choices))
        }
        BalancePolicy::RingHash => {
            Arc::new(Bounded::new(ring_hash::Ring::new(endpoints, members), bound))
        }
        BalancePolicy::Maglev => {
            Arc::new(Bounded::new(maglev::Maglev::new(endpoints, members), bound))
        }
        BalancePolicy::Rendezvous => Arc::new(rendezvous::Rendezvous::new(endpoints, bound)),
        BalancePolicy::FirstAvailable => Arc::new(first_available::FirstAvailable),
    }
}

#[cfg(test)]
mod tests;
