//! Building the rate limits of a plan, and which of them each route and each listener has.
//!
//! Apart from the routes, which only name them: so a route stays the same object when a limit of its is built anew.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::plan::{self, Issue, Plan};

use super::Snapshot;
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

/// The limits of a plan by name; `None` for one that could not be built.
type Named<'a> = HashMap<&'a str, &'a Option<Arc<RateLimit>>>;

/// Those of each route and of each listener that has some, among the `limits` of `plan`. What names none, or one that is
/// not for it, is added to `issues`.
pub(super) fn of_all(
    plan: &Plan,
    limits: &[Option<Arc<RateLimit>>],
    issues: &mut Vec<Issue>,
) -> (Vec<LimitsOfRoute>, HashMap<String, RateLimits>) {
    let names = plan.rate_limits.iter().map(|limit| limit.name.as_str());
    let known: Named<'_> = names.zip(limits).collect();
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
            if let Some(why) = counts_requests_only(&limit.plan) {
                let wrong = format!("`{}` cannot count connections: {why}", limit.plan.name);
                issues.push(Issue::new(format!("{at}.{place}"), wrong));
            }
        }
        (listener.name.clone(), limits)
    });
    (routes, listeners.collect())
}

/// The limits with these names, which stand at `at`.
fn named(names: &[String], at: &str, known: &Named<'_>, issues: &mut Vec<Issue>) -> RateLimits {
    let limit = |(place, name): (usize, &String)| {
        let found = known.get(name.as_str());
        if found.is_none() {
            let wrong = format!("there is no rate limit `{name}`");
            issues.push(Issue::new(format!("{at}.{place}"), wrong));
        }
        (*found?).clone()
    };
    names.iter().enumerate().filter_map(limit).collect()
}

/// Why `limit` is not for connections as they are accepted; `None` if it is.
fn counts_requests_only(limit: &plan::RateLimit) -> Option<&'static str> {
    let known = |part: &plan::KeyPart| part.client.is_some() || part.listener.is_some();
    let cost = &limit.cost;
    let later = cost.request_bytes || cost.response_bytes || cost.header.is_some();
    if !limit.key.iter().all(known) {
        Some("of its key only client and listener are known before a request has come")
    } else if limit.windows.is_empty() {
        Some("it has no windows")
    } else if limit.in_flight.is_some() || limit.bandwidth.is_some() {
        Some("in_flight and bandwidth are about requests; see limits.connections_per_client")
    } else if limit.wait.get() > 0 {
        Some("a connection does not wait for its turn")
    } else if later || !cost.status.is_empty() || cost.requests == 0 {
        Some("what it costs is known only when a request has come")
    } else {
        None
    }
}
