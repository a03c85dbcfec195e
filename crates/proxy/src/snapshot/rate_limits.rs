//! Building the rate limits of a plan, and which of them each route and each listener has.
//!
//! Apart from the routes, which only name them: so a route stays the same object when a limit of its is built anew.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::plan::{Issue, Plan};

use super::Snapshot;
use super::named::Named;
use crate::account::metrics::Metrics;
use crate::objects::keeper::Keeper;
use crate::objects::rate::RateLimit;
use crate::objects::store::Store;

/// The rate limits that the requests of one route, or the connections of one listener, must all pass.
pub type RateLimits = Box<[Arc<RateLimit>]>;

/// The rate limits of one route, by what their keys are made of.
#[derive(Debug)]
pub struct LimitsOfRoute {
    /// What is known of any request: asked before authentication.
    pub of_any: RateLimits,
    /// An identity: asked once that is known.
    pub of_identities: RateLimits,
}

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
    let known = Named::new("store", plan.stores.iter().map(|store| &store.name), stores);
    let limits = plan.rate_limits.iter().enumerate().map(|(index, wanted)| {
        let store = match &wanted.store {
            None => None,
            Some(name) => {
                let option = || format!("rate_limits.{index}.store");
                Some(known.find(name, option, issues)?)
            }
        };
        let kept = keeper.keep(&wanted.name, (wanted, store.as_ref()), |wanted, before| {
            let at = format!("rate_limits.{index}");
            RateLimit::build(wanted, before.map(Arc::as_ref), &at, metrics)
        });
        kept.map_err(|more| issues.extend(more)).ok()
    });
    limits.collect()
}

/// Those of each route and of each listener that has some, among the `limits` of `plan`. What names none, or one that is
/// not for it, is added to `issues`.
pub(super) fn of_all(
    plan: &Plan,
    limits: &[Option<Arc<RateLimit>>],
    issues: &mut Vec<Issue>,
) -> (Vec<LimitsOfRoute>, HashMap<String, RateLimits>) {
    let names = plan.rate_limits.iter().map(|limit| &limit.name);
    let known = Named::new("rate limit", names, limits);
    let routes = plan.routes.iter().enumerate().map(|(index, route)| {
        let at = format!("routes.{index}.limits.rate");
        let limits = named(&route.limits.rate, &at, &known, issues);
        let authenticates = route.access.as_ref().is_some_and(|each| !each.authenticate.is_empty());
        for (place, limit) in limits.iter().enumerate() {
            if limit.needs_identity() && !authenticates {
                let wrong = format!(
                    "the key of `{}` needs an identity, and this route finds out none; name \
                     authenticators in access.authenticate",
                    limit.plan.name
                );
                issues.push(Issue::new(format!("{at}.{place}"), wrong));
            }
        }
        let (of_identities, of_any): (Vec<_>, Vec<_>) =
            limits.into_iter().partition(|limit| limit.needs_identity());
        LimitsOfRoute { of_any: of_any.into(), of_identities: of_identities.into() }
    });
    let routes = routes.collect();
    let rated = plan.listeners.iter().enumerate().filter(|(_, each)| !each.rate.is_empty());
    let listeners = rated.map(|(index, listener)| {
        let at = format!("listeners.{index}.rate");
        let limits = named(&listener.rate, &at, &known, issues);
        for (place, limit) in limits.iter().enumerate() {
            if let Some(why) = limit.plan.counts_requests_only() {
                let wrong = format!("`{}` cannot count connections: {why}", limit.plan.name);
                issues.push(Issue::new(format!("{at}.{place}"), wrong));
            }
        }
        (listener.name.clone(), limits)
    });
    (routes, listeners.collect())
}

/// The limits with these names, which stand at `at`.
fn named(
    names: &[String],
    at: &str,
    known: &Named<'_, RateLimit>,
    issues: &mut Vec<Issue>,
) -> RateLimits {
    let named = names.iter().enumerate();
    let found =
        named.filter_map(|(place, name)| known.find(name, || format!("{at}.{place}"), issues));
    found.collect()
}
