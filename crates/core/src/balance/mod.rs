//! Picking an endpoint.
//!
//! A [`Balancer`] first narrows an upstream's endpoints down to those that may be picked (`narrow`), which is
//! the same for all policies, and then lets its policy choose among these [`Candidates`]. A new policy costs
//! its own file, a variant of [`plan::BalancePolicy`], a line of the `registry` and one of what it [`needs`](needs()).

mod balancer;
mod bounded;
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
mod needs;
mod peak_ewma;
mod pick;
mod prequal;
mod random;
mod registry;
mod rendezvous;
mod ring_hash;
mod round_robin;
mod spare;
mod splitmix;
mod sticky;
mod strength;

pub use balancer::{Balancer, Surroundings};
pub use candidates::Candidates;
pub use check::check;
pub use endpoint::{Endpoint, Endpoints};
pub use explain::{Candidate, MOST_LISTED};
pub use least_cost::{Cost, LeastCost};
pub use needs::{Needs, needs};
pub use pick::{Pick, Unpicked, hash_key};
pub use spare::Spare;
pub use splitmix::SplitMix64;
pub use sticky::Sticky;
pub use strength::known_or_guessed;

use std::sync::Arc;

use crate::plan::Upstream;
use crate::time::Moment;

/// A policy: chooses among endpoints that may all be picked.
pub trait Policy: Send + Sync + std::fmt::Debug {
    /// The chosen endpoint: one of the candidates that is not to be avoided; there is at least one.
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize;

    /// What `endpoint` costs at `now`, where the policy takes the one of the lowest cost.
    fn cost(&self, _from: &Candidates<'_>, _endpoint: usize, _now: Moment) -> Option<f64> {
        None
    }
}

/// Makes the policy of an upstream for those of its endpoints that the indices name.
pub type Build = dyn Fn(&Upstream, &[u32]) -> Arc<dyn Policy> + Send + Sync;

#[cfg(test)]
mod tests;
