//! Building the authenticators of a plan, and which of them each route has.
//!
//! Apart from the routes, which only name them: so a route stays the same object when one of its authenticators is
//! built anew.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;
use tidegate_core::auth::GuardedFields;
use tidegate_core::plan::{Issue, Plan, Route};

use super::destinations::upstreams_of;
use super::named::Named;
use super::route::Action;
use super::{Route as Built, Snapshot};
use crate::account::Accounts;
use crate::objects::auth::Authenticator;
use crate::objects::auth::live::LiveAuthenticators;
use crate::objects::keeper::Keeper;
use crate::upstream::Upstream;

/// The authenticators that the requests of one route are examined by, in this order.
pub type Authenticators = Box<[Arc<Authenticator>]>;

/// The authenticators of `plan`, in its order; `None` for one that cannot be built. What is wrong is added to `issues`.
pub(super) fn build(
    plan: &Plan,
    before: Option<&Snapshot>,
    live: &LiveAuthenticators,
    accounts: &Accounts,
    issues: &mut Vec<Issue>,
) -> Vec<Option<Arc<Authenticator>>> {
    let keeper = Keeper::of(before.iter().flat_map(|before| &before.authenticators));
    let built = plan.authenticators.iter().enumerate().map(|(index, wanted)| {
        let at = format!("authenticators.{index}");
        let kept = keeper.keep(&wanted.name, wanted, |wanted, _| {
            Authenticator::build(wanted, &at, live, accounts)
        });
        kept.map_err(|more| issues.extend(more)).ok()
    });
    built.collect()
}

/// Those of each route of `plan`, in its order, among all. What names none is added to `issues`.
pub(super) fn of_routes(
    plan: &Plan,
    authenticators: &[Option<Arc<Authenticator>>],
    issues: &mut Vec<Issue>,
) -> Vec<Authenticators> {
    let names = plan.authenticators.iter().map(|each| &each.name);
    let known = Named::new("authenticator", names, authenticators);
    let of_route = |(index, route): (usize, &Arc<Route>)| {
        let named = route.access.iter().flat_map(|access| &access.authenticate);
        let found = named.enumerate().filter_map(|(place, name)| {
            let option = || format!("routes.{index}.access.authenticate.{place}");
            known.find(name, option, issues)
        });
        found.collect()
    };
    plan.routes.iter().enumerate().map(of_route).collect()
}

/// The upstreams that authenticators ask, by the authenticator's name. What names none is added to `issues`.
pub(super) fn asked(
    plan: &Plan,
    upstreams: &[Option<Arc<Upstream>>],
    issues: &mut Vec<Issue>,
) -> HashMap<String, Arc<Upstream>> {
    let known = upstreams_of(plan, upstreams);
    let asked = plan.authenticators.iter().enumerate().filter_map(|(index, each)| {
        let name = &each.forward.as_ref()?.upstream;
        let option = || format!("authenticators.{index}.forward.upstream");
        Some((each.name.clone(), known.find(name, option, issues)?))
    });
    asked.collect()
}

/// The fields that tell any upstream of identities. One of `identity_headers` in which clients send credentials is added
/// to `issues`: it cannot be taken off what they send, so that they could write it.
pub(super) fn guarded(
    plan: &Plan,
    routes: &[Arc<Built>],
    authenticators: &[Arc<Authenticator>],
    issues: &mut Vec<Issue>,
) -> GuardedFields {
    let credentials: Vec<_> =
        authenticators.iter().flat_map(|each| each.credential_fields()).collect();
    for (index, route) in plan.routes.iter().enumerate() {
        for name in route.identity_headers.keys() {
            let field = HeaderName::try_from(name.as_str());
            if field.is_ok_and(|field| GuardedFields::is_credential(&field, &credentials)) {
                let option = format!("routes.{index}.identity_headers.{name}");
                let wrong = "clients send credentials in this field, so that they could write it: choose another";
                issues.push(Issue::new(option, wrong));
            }
        }
    }
    let told = routes.iter().filter_map(|route| match &route.action {
        Action::Forward(forward) => Some(forward.identity_headers.names()),
        Action::Redirect(_) | Action::Respond(_) => None,
    });
    let taken = authenticators.iter().flat_map(|each| each.taken());
    GuardedFields::new(told.flatten().chain(taken), &credentials)
}
