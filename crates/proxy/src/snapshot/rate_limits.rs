//! Building the rate limits of a plan, and which of them each route has.
//!
//! Apart from the routes, which only name them: so a route stays the same object when a limit of its is built anew.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::plan::{Issue, Plan, Route};

use super::Snapshot;
use crate::account::metrics::Metrics;
use crate::objects::keeper::Keeper;
use crate::objects::rate::RateLimit;
use crate::objects::store::Store;

/// The rate limits that the requests of one route must all pass.
pub type RateLimits = Box<[Arc<RateLimit>]>;

/// The rate limits of `plan`, in its order, shared through its `stores`; `None` for one that cannot be built. What is
/// wrong is added to `issues`.
pub(super) fn build(
    plan: &Plan,
    stores: &[Option<Arc<Store>>],
    before: Option<&Snapshot>,
    metrics: &Metrics,
    issues: &mut Vec<Issue>,
) -> Vec<Option<Arc<RateLimit>>> {
    let keeper = Keeper::of(before.iter().flat_map(|before| &before.rate_limits));
    let names = plan.stores.iter().map(|store| store.name.as_str());
    let known: HashMap<_, _> = names.zip(stores).collect();
    let limits = plan.rate_limits.iter().enumerate().map(|(index, wanted)| {
        let store = match &wanted.store {
            None => None,
            Some(name) => {
                let found = known.get(name.as_str());
                if found.is_none() {
                    let option = format!("rate_limits.{index}.store");
                    issues.push(Issue::new(option, format!("there is no store `{name}`")));
                }
                Some((*found?).as_ref()?)
            }
        };
        let kept = keeper.keep(&wanted.name, (wanted, store), |wanted, before| {
            let at = format!("rate_limits.{index}");
            RateLimit::build(wanted, before.map(Arc::as_ref), &at, metrics)
        });
        kept.map_err(|more| issues.extend(more)).ok()
    });
    limits.collect()
}

/// Those of each route of `plan`, in its order, among its `limits`. What names none is added to `issues`.
pub(super) fn of_routes(
    plan: &Plan,
    limits: &[Option<Arc<RateLimit>>],
    issues: &mut Vec<Issue>,
) -> Vec<RateLimits> {
    let names = plan.rate_limits.iter().map(|limit| limit.name.as_str());
    let known: HashMap<_, _> = names.zip(limits).collect();
    let of_route = |(index, route): (usize, &Arc<Route>)| {
        let limit = |(at, name): (usize, &String)| {
            let found = known.get(name.as_str());
            if found.is_none() {
                let option = format!("routes.{index}.limits.rate.{at}");
                issues.push(Issue::new(option, format!("there is no rate limit `{name}`")));
            }
            (*found?).clone()
        };
        route.limits.rate.iter().enumerate().filter_map(limit).collect()
    };
    plan.routes.iter().enumerate().map(of_route).collect()
}
