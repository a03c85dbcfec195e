//! Picking an endpoint.
//!
//! A [`Balancer`] first narrows an upstream's endpoints down to those that may be
//! picked (`narrow`, `view`), which is the same for all policies, and then lets its
//! policy choose. A new policy costs its own file, a variant of
//! [`plan::BalancePolicy`] and a line in `policy`.

mod bounded;
mod c3;
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

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

pub use check::check;
pub use endpoint::{Endpoint, Endpoints};
pub use explain::{Candidate, MOST_LISTED};
pub use splitmix::SplitMix64;
pub use sticky::Sticky;

use self::bounded::Bounded;
use self::forecast::Forecast;
use self::least_cost::LeastCost;
use self::narrow::{Narrowing, Outlook};
use self::view::Candidates;
use crate::plan::{self, BalancePolicy, Labels};
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
    /// The labels that the request's route asks for, by their place in [`Surroundings::subsets`].
    pub subset: Option<usize>,
    /// The endpoint that the request's [sticky](Sticky) cookie names: taken while it may be picked.
    pub sticky: Option<usize>,
    /// Endpoints that this request was sent to before: avoided while another is left.
    pub tried: &'a [usize],
}

impl<'a> Pick<'a> {
    /// A request of which nothing else is known.
    pub fn new(now: Moment, random: &'a mut SplitMix64) -> Self {
        Self { now, random, hash: None, subset: None, sticky: None, tried: &[] }
    }
}

/// Hash of the header field, cookie, path or address that decides where a request goes (XXH3, 64 bits).
pub fn hash_key(value: &[u8]) -> u64 {
    xxh3_64(value)
}

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
    let bound = balance.load_bound;
    match balance.policy {
        BalancePolicy::RoundRobin => Arc::new(round_robin::RoundRobin::default()),
        BalancePolicy::Random => Arc::new(random::Random),
        BalancePolicy::FastestFree => Arc::new(fastest_free::FastestFree::new(balance.choices)),
        BalancePolicy::LeastRequest => {
            Arc::new(LeastCost::new(least_request::LeastRequest, balance.choices))
        }
        BalancePolicy::PeakEwma => Arc::new(LeastCost::new(peak_ewma::PeakEwma, balance.choices)),
        BalancePolicy::Prequal => Arc::new(prequal::Prequal::new(&balance.prequal)),
        BalancePolicy::C3 => {
            Arc::new(LeastCost::new(c3::C3 { clients: balance.clients }, balance.choices))
        }
        BalancePolicy::RingHash => {
            Arc::new(Bounded::new(ring_hash::Ring::new(endpoints, members), bound))
        }
        BalancePolicy::Maglev => {
            Arc::new(Bounded::new(maglev::Maglev::new(endpoints, members), bound))
        }
        BalancePolicy::Rendezvous => Arc::new(rendezvous::Rendezvous::new(endpoints, bound)),
        BalancePolicy::FirstAvailable => {
            Arc::new(first_available::FirstAvailable::new(upstream.pool.max_connections))
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

/// What a balancer depends on besides its upstream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The gateway's own zone.
    pub zone: Option<&'a str>,
    /// The labels that routes ask for.
    pub subsets: &'a [Labels],
    /// What sticky cookies are signed with where the configuration has no secret.
    pub secret: &'a [u8],
}

/// Picks endpoints of one upstream. Shared by all workers.
#[derive(Debug)]
pub struct Balancer {
    endpoints: Endpoints,
    /// Requests that one endpoint may have.
    limit: u32,
    narrowing: Narrowing,
    outlook: ArcSwap<Outlook>,
    /// Where the policy looks ahead.
    forecast: Option<Forecast>,
    sticky: Option<Sticky>,
}

impl Balancer {
    /// A balancer for `endpoints`, which were made from `upstream`, where nothing surrounds it.
    ///
    /// Takes up to tens of milliseconds for ten thousand endpoints: not a worker's business.
    pub fn new(upstream: &plan::Upstream, endpoints: Endpoints) -> Self {
        Self::within(upstream, endpoints, Surroundings::default())
    }

    /// A balancer for `endpoints`, which were made from `upstream`. As quick as [`new`](Self::new).
    pub fn within(
        upstream: &plan::Upstream,
        endpoints: Endpoints,
        around: Surroundings<'_>,
    ) -> Self {
        let narrowing = Narrowing::new(upstream, around.zone, around.subsets);
        let outlook = ArcSwap::from_pointee(narrowing.outlook(&endpoints, Moment::default()));
        let sticky = upstream.balance.sticky.as_ref();
        let sticky = sticky.map(|plan| Sticky::new(plan, upstream, around.secret));
        let limit = upstream.limits.endpoint_requests.unwrap_or(u32::MAX);
        let foresees = upstream.balance.policy == BalancePolicy::FastestFree;
        let forecast = foresees.then(|| Forecast::new(upstream.limits.adaptive.enabled));
        Self { endpoints, limit, narrowing, outlook, forecast, sticky }
    }

    /// The endpoints; [`pick`](Self::pick) answers with an index into them.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The cookies that keep clients with their endpoints, where the upstream has them.
    pub fn sticky(&self) -> Option<&Sticky> {
        self.sticky.as_ref()
    }

    /// The endpoint that a request is to be sent to.
    ///
    /// Resting, ejected and unhealthy endpoints are picked only if there are too few others (panic
    /// mode); those that are not in service, have weight 0 or have all the requests they may have never.
    ///
    /// # Errors
    /// If there is none.
    pub fn pick(&self, pick: &mut Pick<'_>) -> Result<usize, Unpicked> {
        let outlook = self.outlook(pick.now);
        if let Some(forecast) = &self.forecast {
            forecast.renew(&self.endpoints, outlook.of(None), pick.now);
        }
        let outlets = outlook.of(pick.subset);
        if let Some(named) = pick.sticky
            && let Some(outlet) = outlets.holding(named)
            && !pick.tried.contains(&named)
            && self.endpoints[named].load.in_flight() < self.limit
            && (!outlet.view.has_trials() || self.endpoints[named].health.admit(pick.now))
        {
            return Ok(named);
        }
        if !pick.tried.is_empty() && outlets.avoids_all(pick.tried) {
            pick.tried = &[];
        }
        let mut avoid: SmallVec<[usize; 4]> = SmallVec::from_slice(pick.tried);
        loop {
            let outlet = outlets.draw(pick, &avoid).ok_or(Unpicked::NoEndpoint)?;
            let (view, limit) = (&outlet.view, self.limit);
            let from = Candidates { endpoints: &self.endpoints, view, avoid: &avoid, limit };
            let mut chosen = outlet.policy.choose(&from, pick);
            if from.is_full(chosen) {
                let Some(free) = from.any(pick.random) else {
                    // All of these are; others may not be.
                    avoid.extend(view.members().iter().map(|&member| member as usize));
                    if outlets.avoids_all(&avoid) {
                        return Err(Unpicked::AllBusy);
                    }
                    continue;
                };
                chosen = free;
            }
            if !view.has_trials()
                || self.endpoints[chosen].health.admit(pick.now)
                || view.is_panic()
            {
                return Ok(chosen);
            }
            // Its rest is over, and another request was quicker to try it.
            avoid.push(chosen);
            if outlets.avoids_all(&avoid) {
                return Ok(chosen);
            }
        }
    }

    /// Whether there is a limit to what the endpoints together may have.
    pub fn has_room_limit(&self) -> bool {
        self.limit < u32::MAX || self.forecast.is_some()
    }

    /// Requests that the endpoints together may have at `now`: by configuration, and by what is known of how
    /// many they work on at a time. Where there are none, nobody need wait to be told.
    pub fn room(&self, now: Moment) -> u32 {
        let foreseen = self.forecast.as_ref().map_or(u32::MAX, Forecast::room);
        if self.limit == u32::MAX {
            return foreseen;
        }
        match self.outlook(now).of(None).members() {
            0 => u32::MAX,
            members => self.limit.saturating_mul(members as u32).min(foreseen),
        }
    }

    /// The weight that `endpoint` has at `now`, as its neighbours' count: smaller than configured while it
    /// starts slowly, 0 while it gets no requests.
    pub fn effective_weight(&self, endpoint: usize, now: Moment) -> f64 {
        let endpoint = &self.endpoints[endpoint];
        if !endpoint.is_open() || !endpoint.health.available(now) {
            return 0.0;
        }
        f64::from(endpoint.weight()) * self.narrowing.readiness(endpoint, now)
    }

    /// Where requests go at `now`.
    fn outlook(&self, now: Moment) -> Guard<Arc<Outlook>> {
        let outlook = self.outlook.load();
        if !outlook.is_stale(&self.endpoints, now) {
            return outlook;
        }
        let outlook = Arc::new(self.narrowing.outlook(&self.endpoints, now));
        self.outlook.store(Arc::clone(&outlook));
        Guard::from_inner(outlook)
    }
}

#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tests;
