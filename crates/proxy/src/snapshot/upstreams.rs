//! Building the upstreams of a plan.

use std::sync::Arc;

use tidegate_core::plan::{self, Issue, Plan};

use super::Snapshot;
use super::subsets::Subsets;
use crate::account::Accounts;
use crate::objects::keeper::{Keeper, Object, is_same};
use crate::upstream::live::LiveEndpoints;
use crate::upstream::{Upstream, Wanted};

/// The upstreams of `plan`, of whose endpoints routes ask for `subsets`, in its order; `None` for one that cannot
/// be built. What is wrong is added to `issues`.
pub(super) fn build(
    plan: &Plan,
    subsets: &Subsets<'_>,
    before: Option<&Snapshot>,
    live: &LiveEndpoints,
    accounts: &Accounts,
    issues: &mut Vec<Issue>,
) -> Vec<Option<Arc<Upstream>>> {
    let keeper = Keeper::of(before.iter().flat_map(|before| &before.upstreams));
    let zone = plan.zone.as_deref();
    let upstream = |(index, wanted): (usize, &Arc<plan::Upstream>)| {
        let name = &wanted.name;
        let (subsets, live) = (subsets.of_upstream(name), live.of(name));
        let asked = Wanted { plan: wanted, zone, subsets, live };
        let kept = keeper.keep(name, asked, |asked, before| {
            let before = before.map(Arc::as_ref);
            Upstream::build(asked, before, &format!("upstreams.{index}"), accounts)
        });
        kept.map_err(|more| issues.extend(more)).ok()
    };
    plan.upstreams.iter().enumerate().map(upstream).collect()
}

impl Object for Upstream {
    type Plan<'p> = Wanted<'p>;

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn is_of(&self, wanted: &Wanted<'_>) -> bool {
        is_same(&self.plan, wanted.plan)
            && self.zone.as_deref() == wanted.zone
            && self.subsets == wanted.subsets
    }
}
