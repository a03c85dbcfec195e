//! Building the routes of a plan.

use std::sync::Arc;

use http::HeaderName;
use tidegate_core::access::AddressRules;
use tidegate_core::auth::IdentityHeaders;
use tidegate_core::cache;
use tidegate_core::cors::Cors;
use tidegate_core::csrf::Csrf;
use tidegate_core::grpc::check_methods;
use tidegate_core::hedge::Hedge;
use tidegate_core::plan::{self, Issue, Plan};
use tidegate_core::retry::Policy;
use tidegate_core::rewrite::{HeaderEdits, Redirect, Target};
use tidegate_core::route::check_template;
use tidegate_core::security_headers::SecurityHeaders;
use xxhash_rust::xxh3::xxh3_64;

use super::Snapshot;
use super::access::Access;
use super::fixed::Fixed;
use super::route::{Action, Forward, Route, RoutePriority, Split};
use crate::account::metrics::Metrics;
use crate::account::rpc::RpcCounts;
use crate::net::clock;
use crate::objects::keeper::{Keeper, Object, is_same};
use crate::upstream::cost::CostRoute;

/// What `plan` wants done with the requests of each route, in its order. What is wrong is added to `issues`.
pub(super) fn build(
    plan: &Plan,
    before: Option<&Snapshot>,
    metrics: &Metrics,
    issues: &mut Vec<Issue>,
) -> Vec<Arc<Route>> {
    // The gateway's name is part of what caches look at.
    let before = before.filter(|before| before.plan.name == plan.name);
    let keeper = Keeper::of(before.iter().flat_map(|before| &before.routes));
    let route = |(index, wanted): (usize, &Arc<plan::Route>)| {
        let kept = keeper.keep(&wanted.name, wanted, |wanted, before| {
            let at = format!("routes.{index}");
            let (gateway, before) = (&*plan.name, before.map(Arc::as_ref));
            Reader { gateway, wanted, before, at, issues }.route(metrics).ok_or(())
        });
        kept.ok()
    };
    plan.routes.iter().enumerate().filter_map(route).collect()
}

impl Object for Route {
    type Plan<'p> = &'p Arc<plan::Route>;

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn is_of(&self, plan: &&Arc<plan::Route>) -> bool {
        is_same(&self.plan, plan)
    }
}

/// Reads one route.
struct Reader<'a> {
    gateway: &'a str,
    wanted: &'a Arc<plan::Route>,
    /// The route of the same name that is served.
    before: Option<&'a Route>,
    at: String,
    issues: &'a mut Vec<Issue>,
}

impl Reader<'_> {
    /// The route; what is wrong with it is told and left out, and without an action there is none.
    fn route(&mut self, metrics: &Metrics) -> Option<Route> {
        let wanted = self.wanted;
        let response = format!("{}.response_headers", self.at);
        let response_headers = HeaderEdits::build(&wanted.response_headers, &response, self.issues);
        let address_rules = wanted.access.as_ref().and_then(|access| {
            AddressRules::build(access, &format!("{}.access", self.at), self.issues).map(Box::new)
        });
        let cors = wanted
            .cors
            .as_ref()
            .map(|cors| Box::new(Cors::build(cors, &format!("{}.cors", self.at), self.issues)));
        let security_headers = wanted.security_headers.as_ref().map(|fields| {
            let at = format!("{}.security_headers", self.at);
            Box::new(SecurityHeaders::build(fields, &at, self.issues))
        });
        check_methods(&wanted.grpc_methods, &format!("{}.grpc_methods", self.at), self.issues);
        let access_at = format!("{}.access", self.at);
        let access =
            wanted.access.as_ref().map(|access| Access::build(access, &access_at, self.issues));
        Some(Route {
            plan: wanted.clone(),
            id: Route::next_id(),
            body_limit: wanted.limits.body.map(plan::Size::get),
            address_rules,
            cors,
            csrf: wanted.csrf.as_ref().map(Csrf::new),
            grpc_web: wanted.grpc_web,
            rpc_counts: RpcCounts::of(&wanted.name, &wanted.grpc_methods, metrics).map(Box::new),
            access,
            action: self.action()?,
            response_headers,
            security_headers,
            metrics: metrics.route(&wanted.name),
        })
    }

    fn action(&mut self) -> Option<Action> {
        let wanted = self.wanted;
        let (mut answer, mut is_forward, mut split) = (None, false, None);
        match (&wanted.upstream, &wanted.split, &wanted.redirect, &wanted.respond) {
            (Some(_), None, None, None) => is_forward = true,
            (None, Some(shares), None, None) => {
                split = self.split(shares);
                is_forward = split.is_some();
            }
            (None, None, Some(redirect), None) => {
                let (path, at) = (wanted.matches.path.as_ref(), format!("{}.redirect", self.at));
                let redirect = Redirect::build(redirect, path, &at, self.issues);
                answer = redirect.map(Action::Redirect);
            }
            (None, None, None, Some(respond)) => {
                let at = format!("{}.respond", self.at);
                answer = Some(Action::Respond(Fixed::build(respond, &at, self.issues)));
            }
            _ => {
                let wrong = "expected exactly one of `upstream`, `split`, `redirect` and `respond`";
                self.issues.push(Issue::new(self.at.clone(), wrong));
            }
        }
        // Read whatever the route does, so that mistakes in it are told.
        let forward = self.forward(split);
        answer.or_else(|| is_forward.then(|| Action::Forward(Box::new(forward))))
    }

    fn forward(&mut self, split: Option<Split>) -> Forward {
        let wanted = self.wanted;
        let at = |option| format!("{}.{option}", self.at);
        let (path, rewrite_at) = (wanted.matches.path.as_ref(), at("rewrite"));
        let (headers_at, retry_at) = (at("request_headers"), at("retry"));
        let cache = wanted.cache.as_ref().map(|cache| {
            let (route, at) = (&wanted.name, at("cache"));
            Box::new(cache::Settings::build(cache, self.gateway, route, &at, self.issues))
        });
        let rewrite = wanted
            .rewrite
            .as_ref()
            .and_then(|rewrite| Target::build(rewrite, path, &rewrite_at, self.issues));
        let request_headers = HeaderEdits::build(&wanted.request_headers, &headers_at, self.issues);
        let identity_headers =
            IdentityHeaders::build(&wanted.identity_headers, &at("identity_headers"), self.issues);
        let mirrored_millionths =
            wanted.mirror.as_ref().map(|mirror| (mirror.percent.get() * 10_000.0) as u64);
        let retry = Policy::build(&wanted.retry, &retry_at, self.issues);
        let hedge = wanted.hedge.as_ref().and_then(|hedge| self.hedge(hedge));
        let deadline_header = self.field_name(&wanted.deadline_header, "deadline_header");
        let priority = self.priority(&wanted.priority);
        if let Some(Err(wrong)) = wanted.template.as_deref().map(check_template) {
            self.complain("template", &wrong);
        }
        let number = xxh3_64(wanted.name.as_bytes());
        let cost = CostRoute { number, has_template: wanted.template.is_some() };
        Forward {
            cost,
            split,
            cache,
            rewrite,
            request_headers,
            identity_headers,
            mirrored_millionths,
            timeout: wanted.timeout.map(plan::Timeout::duration),
            deadline_header,
            retry,
            hedge,
            priority,
        }
    }

    fn split(&mut self, wanted: &[plan::Split]) -> Option<Split> {
        let mut bound = 0;
        let bounds = wanted.iter().map(|share| {
            bound += u64::from(share.weight);
            bound
        });
        let split = Split::new(bounds.collect());
        if split.total() == 0 {
            self.complain("split", "expected at least one share with a weight above 0");
            return None;
        }
        Some(split)
    }

    fn hedge(&mut self, wanted: &plan::Hedge) -> Option<Arc<Hedge>> {
        if let Some(before) = self.before
            && before.plan.hedge.as_ref() == Some(wanted)
            && let Action::Forward(forward) = &before.action
        {
            return forward.hedge.clone();
        }
        let at = format!("{}.hedge", self.at);
        Hedge::build(wanted, &at, clock::now(), self.issues).map(Arc::new)
    }

    fn field_name(&mut self, name: &Option<String>, option: &str) -> Option<HeaderName> {
        let name = name.as_ref()?;
        let found = HeaderName::try_from(name);
        if found.is_err() {
            self.complain(option, format!("`{name}` is not a field name"));
        }
        found.ok()
    }

    fn priority(&mut self, wanted: &plan::RoutePriority) -> RoutePriority {
        let header = self.field_name(&wanted.header, "priority.header");
        RoutePriority { level: wanted.level, header, from_anyone: wanted.from_anyone }
    }

    fn complain(&mut self, option: &str, wrong: impl Into<String>) {
        self.issues.push(Issue::new(format!("{}.{option}", self.at), wrong));
    }
}
