//! Picking an endpoint.
//!
//! A [`Balancer`] first narrows an upstream's endpoints down to those that may be
//! picked (`view`), which is the same for all policies, and then lets its
//! policy choose. A new policy costs its own file, a variant of
//! [`plan::BalancePolicy`] and a line in `policy`.

mod c3;
mod check;
mod consistent_hash;
mod endpoint;
mod least_cost;
mod least_request;
mod peak_ewma;
mod prequal;
mod random;
mod ring;
mod round_robin;
mod splitmix;
mod strength;
mod view;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

pub use check::check;
pub use endpoint::{Endpoint, Endpoints};
pub use splitmix::SplitMix64;

use self::least_cost::LeastCost;
use self::view::{Candidates, View};
use crate::plan::{self, BalancePolicy};
use crate::time::Moment;

/// What is known of the request that needs an endpoint.
#[derive(Debug)]
pub struct Pick<'a> {
    /// Now.
    pub now: Moment,
    /// The caller's random numbers; one source per worker.
    pub random: &'a mut SplitMix64,
    /// The request's [`hash_key`], where the upstream hashes and the request has what is hashed.
    pub hash: Option<u64>,
    /// Endpoints that this request was sent to before: avoided while another is left.
    pub tried: &'a [usize],
}

/// Hash of the header field, cookie, path or address that decides where a request goes (XXH3, 64 bits).
pub fn hash_key(value: &[u8]) -> u64 {
    xxh3_64(value)
}

/// A policy: chooses among endpoints that may all be picked.
trait Policy: Send + Sync + std::fmt::Debug {
    /// The chosen endpoint: one of the candidates that is not to be avoided; there is at least one.
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize;
}

/// The registry.
fn policy(upstream: &plan::Upstream) -> Box<dyn Policy> {
    let balance = &upstream.balance;
    match balance.policy {
        BalancePolicy::RoundRobin => Box::new(round_robin::RoundRobin::default()),
        BalancePolicy::Random => Box::new(random::Random),
        BalancePolicy::LeastRequest => {
            Box::new(LeastCost::new(least_request::LeastRequest, balance.choices))
        }
        BalancePolicy::PeakEwma => Box::new(LeastCost::new(peak_ewma::PeakEwma, balance.choices)),
        BalancePolicy::Prequal => Box::new(prequal::Prequal::new(&balance.prequal)),
        BalancePolicy::C3 => {
            Box::new(LeastCost::new(c3::C3 { clients: balance.clients }, balance.choices))
        }
        BalancePolicy::ConsistentHash => {
            Box::new(consistent_hash::ConsistentHash::new(&upstream.endpoints, balance.load_bound))
        }
    }
}

/// Picks endpoints of one upstream. Shared by all workers.
#[derive(Debug)]
pub struct Balancer {
    endpoints: Endpoints,
    policy: Box<dyn Policy>,
    view: ArcSwap<View>,
}

impl Balancer {
    /// A balancer for `endpoints`, which were made from `upstream`.
    ///
    /// Takes up to tens of milliseconds for ten thousand endpoints: not a worker's business.
    pub fn new(upstream: &plan::Upstream, endpoints: Endpoints) -> Self {
        let view = ArcSwap::from_pointee(View::new(&endpoints, Moment::default()));
        Self { policy: policy(upstream), endpoints, view }
    }

    /// The endpoints; [`pick`](Self::pick) answers with an index into them.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The endpoint that a request is to be sent to; `None` if there is none that takes requests.
    ///
    /// Resting and unhealthy endpoints are picked only if there are no others (panic mode);
    /// draining ones and those of weight 0 never.
    pub fn pick(&self, pick: &mut Pick<'_>) -> Option<usize> {
        let view = self.view(pick.now);
        if view.is_empty() {
            return None;
        }
        if view.avoids_all(pick.tried) {
            pick.tried = &[];
        }
        let mut avoid: SmallVec<[usize; 4]> = SmallVec::from_slice(pick.tried);
        loop {
            let from = Candidates { endpoints: &self.endpoints, view: &view, avoid: &avoid };
            let chosen = self.policy.choose(&from, pick);
            if !view.has_trials() || self.endpoints[chosen].health.admit(pick.now) {
                return Some(chosen);
            }
            // Its rest is over, and another request was quicker to try it.
            avoid.push(chosen);
            if view.avoids_all(&avoid) {
                return Some(chosen);
            }
        }
    }

    /// What may be picked at `now`.
    fn view(&self, now: Moment) -> Guard<Arc<View>> {
        let view = self.view.load();
        if !view.is_stale(&self.endpoints, now) {
            return view;
        }
        let view = Arc::new(View::new(&self.endpoints, now));
        self.view.store(Arc::clone(&view));
        Guard::from_inner(view)
    }
}

#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tests;
