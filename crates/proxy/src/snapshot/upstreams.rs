//! Building the upstreams of a plan.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::plan::{Issue, Plan};

use super::Snapshot;
use super::subsets::Subsets;
use crate::account::Accounts;
use crate::upstream::Upstream;

/// The upstreams of `plan`, of whose endpoints routes ask for `subsets`; those of `before` that stay the same
/// are the same ones. What is wrong is added to `issues`.
pub fn build(
    plan: &Plan,
    subsets: &Subsets<'_>,
    before: Option<&Snapshot>,
    accounts: &Accounts,
    issues: &mut Vec<Issue>,
) -> Vec<Arc<Upstream>> {
    let known: HashMap<&str, &Arc<Upstream>> = before
        .iter()
        .flat_map(|before| &before.upstreams)
        .map(|upstream| (upstream.plan.name.as_str(), upstream))
        .collect();
    let same_zone = before.is_some_and(|before| before.plan.zone == plan.zone);
    let mut upstreams = Vec::with_capacity(plan.upstreams.len());
    for (index, wanted) in plan.upstreams.iter().enumerate() {
        let before = known.get(wanted.name.as_str()).copied();
        let asked = subsets.of_upstream(&wanted.name);
        let stays = |before: &&Arc<Upstream>| {
            same_zone && before.plan == **wanted && before.subsets == asked
        };
        if let Some(same) = before.filter(stays) {
            upstreams.push(same.clone());
            continue;
        }
        let path = format!("upstreams.{index}");
        let zone = plan.zone.as_deref();
        match Upstream::build(wanted, before.map(Arc::as_ref), &path, zone, asked, accounts) {
            Ok(upstream) => upstreams.push(Arc::new(upstream)),
            Err(more) => issues.extend(more),
        }
    }
    upstreams
}
