//! Building the stores of a plan.

use std::sync::Arc;

use tidegate_core::plan::{Issue, Plan};

use super::Snapshot;
use crate::account::metrics::Metrics;
use crate::objects::keeper::Keeper;
use crate::objects::store::Store;

/// The stores of `plan`, in its order; `None` for one that cannot be built. What is wrong is added to `issues`.
pub(super) fn build(
    plan: &Plan,
    before: Option<&Snapshot>,
    metrics: &Metrics,
    issues: &mut Vec<Issue>,
) -> Vec<Option<Arc<Store>>> {
    let keeper = Keeper::of(before.iter().flat_map(|before| &before.stores));
    let stores = plan.stores.iter().enumerate().map(|(index, wanted)| {
        let at = format!("stores.{index}");
        let kept =
            keeper.keep(&wanted.name, wanted, |wanted, _| Store::build(wanted, &at, metrics));
        kept.map_err(|more| issues.extend(more)).ok()
    });
    stores.collect()
}
