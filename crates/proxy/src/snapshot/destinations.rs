//! Where the requests of each route go.
//!
//! Apart from the routes, which name their upstreams only: so a route stays the same object when its upstream is
//! built anew, and an upstream may be named by any number of routes.

use std::sync::Arc;

use smallvec::SmallVec;
use tidegate_core::plan::{Issue, Labels, Plan, Route};

use super::named::Named;
use super::subsets::Subsets;
use crate::upstream::Upstream;

/// Where the requests of one route go.
#[derive(Debug, Default)]
pub struct Destinations {
    /// By share, in the order of the route's split; one where it has none; none where it answers itself.
    pub shares: SmallVec<[Destination; 1]>,
    /// Where copies go.
    pub mirror: Option<Arc<Upstream>>,
}

/// Where requests go.
#[derive(Debug)]
pub struct Destination {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// The labels that its endpoint must carry, by their place in [`Upstream::subsets`].
    pub subset: Option<usize>,
}

/// Those of the routes of `plan`, in its order. What names no upstream is added to `issues`.
pub(super) fn build(
    plan: &Plan,
    upstreams: &[Option<Arc<Upstream>>],
    subsets: &Subsets<'_>,
    issues: &mut Vec<Issue>,
) -> Vec<Destinations> {
    let mut finder = Finder { upstreams: upstreams_of(plan, upstreams), subsets, issues };
    plan.routes.iter().enumerate().map(|(index, route)| finder.destinations(index, route)).collect()
}

/// The upstreams of a plan, of which these were built.
pub(super) fn upstreams_of<'a>(
    plan: &'a Plan,
    built: &'a [Option<Arc<Upstream>>],
) -> Named<'a, Upstream> {
    Named::new("upstream", plan.upstreams.iter().map(|upstream| &upstream.name), built)
}

/// Finds upstreams by name.
struct Finder<'a> {
    upstreams: Named<'a, Upstream>,
    subsets: &'a Subsets<'a>,
    issues: &'a mut Vec<Issue>,
}

impl Finder<'_> {
    fn destinations(&mut self, index: usize, route: &Route) -> Destinations {
        let mut shares = SmallVec::new();
        if let Some(name) = &route.upstream {
            let option = || format!("routes.{index}.upstream");
            shares.extend(self.destination(name, &route.subset, option));
        }
        for (at, share) in route.split.iter().flatten().enumerate() {
            let option = || format!("routes.{index}.split.{at}.upstream");
            shares.extend(self.destination(&share.upstream, &share.subset, option));
        }
        let mirror = route.mirror.as_ref().and_then(|mirror| {
            let option = || format!("routes.{index}.mirror.upstream");
            self.upstreams.find(&mirror.upstream, option, self.issues)
        });
        Destinations { shares, mirror }
    }

    fn destination(
        &mut self,
        name: &str,
        labels: &Labels,
        option: impl FnOnce() -> String,
    ) -> Option<Destination> {
        let upstream = self.upstreams.find(name, option, self.issues)?;
        Some(Destination { upstream, subset: self.subsets.find(name, labels) })
    }
}
