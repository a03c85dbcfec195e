//! Narrowing: which endpoints a policy chooses from.
//!
//! In this order, each a file:
//!
//! 1. `subset`: those that carry the labels which the route asks for;
//! 2. `tier`: the best priorities whose endpoints can carry the requests;
//! 3. `zone`: the gateway's own zone, as far as it can carry its share;
//! 4. `slow_start`: the weight of each, smaller for one that is new.
//!
//! Four types carry it from the configuration to a pick:
//!
//! | type | what it is | how long it lasts |
//! |---|---|---|
//! | [`Group`] | endpoints that are picked among together, with a policy of their own | as the configuration |
//! | [`Standing`] | one endpoint: whether it may be picked, and its weight | while an outlook is made |
//! | [`View`] | what may be picked of a group, and the group's share of the requests | until something changes |
//! | [`Outlook`] | the views of all requests, and of those that ask for labels | until something changes |
//!
//! What a policy is given is a view without what this one request is to avoid:
//! [`Candidates`](super::Candidates). Where nothing is configured there is one group with one view, and a pick
//! does not even draw one.

mod group;
mod in_flight;
mod outlook;
mod slow_start;
mod standing;
mod subset;
mod tier;
mod view;
mod zone;

use super::Build;
use super::Endpoints;
use crate::plan::{self, Labels, SubsetFallback};
use crate::time::Moment;

pub(super) use outlook::Outlook;
pub(super) use view::View;

use self::group::Group;
use self::slow_start::SlowStart;
use self::standing::Standing;
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
    pub(super) fn new(
        upstream: &plan::Upstream,
        build: &Build,
        zone: Option<&str>,
        subsets: &[Labels],
    ) -> Self {
        let tiers = |members| Tiers::new(upstream, build, members, zone);
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
        // First, so that a change meanwhile makes the outlook stale.
        let changes = endpoints.changes();
        let (standings, until) = Standing::of_all(endpoints, self.slow_start.as_ref(), now);
        let whole = self.whole.views(&standings);
        let subsets = self
            .subsets
            .iter()
            .map(|subset| match self.fallback {
                SubsetFallback::Any if subset.all().available(&standings) == 0 => whole.clone(),
                SubsetFallback::Any | SubsetFallback::None => subset.views(&standings),
            })
            .collect();
        Outlook { whole, subsets, changes, until }
    }

    /// Whether `endpoint` has the labels of `subset`; `None`: any labels.
    pub(super) fn has(&self, subset: Option<usize>, endpoint: usize) -> bool {
        let subset = subset.and_then(|subset| self.subsets.get(subset));
        subset.is_none_or(|subset| subset.all().has(endpoint))
    }

    /// The part of its weight that `endpoint` has at `now`.
    pub(super) fn readiness(&self, endpoint: &super::Endpoint, now: Moment) -> f64 {
        self.slow_start.as_ref().map_or(1.0, |slow_start| slow_start.readiness(endpoint, now))
    }
}
