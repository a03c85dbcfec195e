//! Narrowing: which endpoints a policy chooses from.
//!
//! In this order, each a file:
//!
//! 1. `subset`: those that carry the labels which the route asks for;
//! 2. `tier`: the best priorities whose endpoints can carry the requests;
//! 3. `zone`: the gateway's own zone, as far as it can carry its share;
//! 4. `slow_start`: the weight of each, smaller for one that is new.
//!
//! Which sets of endpoints there can be follows from the configuration: a [`Group`] is made of each, with
//! a policy of its own. What happens to the endpoints decides which groups get requests: the outlets of
//! an [`Outlook`], which is computed once and shared until something changes. Where nothing is
//! configured there is one group with one outlet, and a pick does not even draw one.

mod group;
mod outlet;
mod slow_start;
mod standing;
mod subset;
mod tier;
mod zone;

use super::Endpoints;
use crate::plan::{self, Labels, SubsetFallback};
use crate::time::Moment;

pub(super) use group::Group;
pub(super) use outlet::{Outlet, Outlets};
pub(super) use slow_start::SlowStart;
pub(super) use standing::Standing;

use self::tier::Tiers;

/// How the endpoints of one upstream are narrowed down.
#[derive(Debug)]
pub(super) struct Narrowing {
    whole: Tiers,
    subsets: Vec<Tiers>,
    fallback: SubsetFallback,
    slow_start: Option<SlowStart>,
}

impl Narrowing {
    /// For a gateway in `zone` whose routes ask for `subsets`.
    pub(super) fn new(upstream: &plan::Upstream, zone: Option<&str>, subsets: &[Labels]) -> Self {
        let tiers = |members| Tiers::new(upstream, members, zone);
        Self {
            whole: tiers((0..upstream.endpoints.len() as u32).collect()),
            subsets: subsets
                .iter()
                .map(|labels| tiers(subset::members(&upstream.endpoints, labels)))
                .collect(),
            fallback: upstream.balance.subset_fallback,
            slow_start: upstream.balance.slow_start.as_ref().map(SlowStart::new),
        }
    }

    /// Where requests go, as things stand with `endpoints` at `now`.
    pub(super) fn outlook(&self, endpoints: &Endpoints, now: Moment) -> Outlook {
        let standing = Standing::new(endpoints, self.slow_start.as_ref(), now);
        let whole = self.whole.outlets(&standing);
        let subsets = self
            .subsets
            .iter()
            .map(|subset| match self.fallback {
                SubsetFallback::Any if !standing.any_available(subset.members()) => whole.clone(),
                SubsetFallback::Any | SubsetFallback::None => subset.outlets(&standing),
            })
            .collect();
        Outlook { whole, subsets, changes: standing.changes, until: standing.until }
    }

    /// The part of its weight that `endpoint` has at `now`.
    pub(super) fn readiness(&self, endpoint: &super::Endpoint, now: Moment) -> f64 {
        self.slow_start.as_ref().map_or(1.0, |slow_start| slow_start.readiness(endpoint, now))
    }
}

/// Where requests go until something changes.
#[derive(Debug)]
pub(super) struct Outlook {
    whole: Outlets,
    subsets: Vec<Outlets>,
    /// Changes that had been counted when it was computed.
    changes: u64,
    /// When it has to be computed again all the same.
    until: Moment,
}

impl Outlook {
    /// Whether another one is due at `now`.
    pub(super) fn is_stale(&self, endpoints: &Endpoints, now: Moment) -> bool {
        now >= self.until || self.changes != endpoints.changes()
    }

    /// The outlets of a subset; `None`: of all endpoints.
    pub(super) fn of(&self, subset: Option<usize>) -> &Outlets {
        subset.and_then(|subset| self.subsets.get(subset)).unwrap_or(&self.whole)
    }
}
