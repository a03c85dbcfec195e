//! Picking an endpoint.
//!
//! A [`Balancer`] first narrows an upstream's endpoints down to those that may be
//! picked (`view`), which is the same for all policies, and then lets its
//! policy choose. A new policy costs its own file, a variant of
//! [`plan::BalancePolicy`] and a line in `policy`.

mod check;
mod consistent_hash;
mod endpoint;
mod least_request;
mod random;
mod ring;
mod round_robin;
mod splitmix;
mod view;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

pub use check::check;
pub use endpoint::{Endpoint, Endpoints};
pub use splitmix::SplitMix64;

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
        BalancePolicy::LeastRequest => Box::new(least_request::LeastRequest::new(balance.choices)),
        BalancePolicy::ConsistentHash => {
            Box::new(consistent_hash::ConsistentHash::new(&upstream.endpoints, balance.load_bound))
        }
    }
}

/// Why no endpoint was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpicked {
    /// There is none that takes requests.
    NoEndpoint,
    /// All have as many requests as they may have.
    AllBusy,
}

/// Picks endpoints of one upstream. Shared by all workers.
#[derive(Debug)]
pub struct Balancer {
    endpoints: Endpoints,
    /// Requests that one endpoint may have.
    limit: u32,
    policy: Box<dyn Policy>,
    view: ArcSwap<View>,
}

impl Balancer {
    /// A balancer for `endpoints`, which were made from `upstream`.
    ///
    /// Takes up to tens of milliseconds for ten thousand endpoints: not a worker's business.
    pub fn new(upstream: &plan::Upstream, endpoints: Endpoints) -> Self {
        let view = ArcSwap::from_pointee(View::new(&endpoints, Moment::default()));
        let limit = upstream.limits.endpoint_requests.unwrap_or(u32::MAX);
        Self { policy: policy(upstream), endpoints, limit, view }
    }

    /// The endpoints; [`pick`](Self::pick) answers with an index into them.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The endpoint that a request is to be sent to.
    ///
    /// Resting and unhealthy endpoints are picked only if there are no others (panic mode);
    /// draining ones, those of weight 0 and those that have all the requests they may have never.
    ///
    /// # Errors
    /// If there is none.
    pub fn pick(&self, pick: &mut Pick<'_>) -> Result<usize, Unpicked> {
        let view = self.view(pick.now);
        if view.is_empty() {
            return Err(Unpicked::NoEndpoint);
        }
        if view.avoids_all(pick.tried) {
            pick.tried = &[];
        }
        let mut avoid: SmallVec<[usize; 4]> = SmallVec::from_slice(pick.tried);
        loop {
            let limit = self.limit;
            let from = Candidates { endpoints: &self.endpoints, view: &view, avoid: &avoid, limit };
            let mut chosen = self.policy.choose(&from, pick);
            if from.is_full(chosen) {
                chosen = from.any(pick.random).ok_or(Unpicked::AllBusy)?;
            }
            if !view.has_trials() || self.endpoints[chosen].health.admit(pick.now) {
                return Ok(chosen);
            }
            // Its rest is over, and another request was quicker to try it.
            avoid.push(chosen);
            if view.avoids_all(&avoid) {
                return Ok(chosen);
            }
        }
    }

    /// Requests that the endpoints together may have at `now`; where there are none, nobody need wait to be
    /// told.
    pub fn room(&self, now: Moment) -> u32 {
        match self.view(now).members().len() as u32 {
            0 => u32::MAX,
            members => self.limit.saturating_mul(members),
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
mod tests;
