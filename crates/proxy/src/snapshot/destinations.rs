//! Where the requests of each route go.
//!
//! Apart from the routes, which name their upstreams only: so a route stays the same object when its upstream is
//! built anew, and an upstream may be named by any number of routes.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;
use tidegate_core::plan::{Issue, Labels, Plan, Route};

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
    let names = plan.upstreams.iter().map(|upstream| upstream.name.as_str());
    let mut finder = Finder { upstreams: names.zip(upstreams).collect(), subsets, issues };
    plan.routes.iter().enumerate().map(|(index, route)| finder.destinations(index, route)).collect()
}

/// Finds upstreams by name.
struct Finder<'a> {
    /// Those that could not be built are `None`.
    upstreams: HashMap<&'a str, &'a Option<Arc<Upstream>>>,
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
            self.upstream(&mirror.upstream, || format!("routes.{index}.mirror.upstream"))
        });
        Destinations { shares, mirror }
    }

    fn destination(
        &mut self,
        name: &str,
        labels: &Labels,
        option: impl FnOnce() -> String,
    ) -> Option<Destination> {
        let upstream = self.upstream(name, option)?;
        Some(Destination { upstream, subset: self.subsets.find(name, labels) })
    }

    fn upstream(&mut self, name: &str, option: impl FnOnce() -> String) -> Option<Arc<Upstream>> {
        let found = self.upstreams.get(name);
        if found.is_none() {
            self.issues.push(Issue::new(option(), format!("there is no upstream `{name}`")));
        }
        (*found?).clone()
    }
}
