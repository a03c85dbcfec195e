//! Building the routes of a plan.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidegate_core::hedge::Hedge;
use tidegate_core::plan::{self, Issue, Plan};
use tidegate_core::retry::Policy;
use tidegate_core::rewrite::{HeaderEdits, Redirect, Target};

use super::Snapshot;
use super::route::{
    Action, Destination, Destinations, Fixed, Forward, Mirror, Route, RoutePriority, Split,
};
use super::subsets::Subsets;
use crate::account::metrics::Metrics;
use crate::net::clock;

/// What `plan` wants done with the requests of each route; hedges of `before` that stay the same keep what they
/// learned. What is wrong is added to `issues`.
pub fn build(
    plan: &Plan,
    before: Option<&Snapshot>,
    subsets: &Subsets<'_>,
    metrics: &Metrics,
    issues: &mut Vec<Issue>,
) -> Vec<Arc<Route>> {
    let names: HashMap<&str, usize> =
        plan.upstreams.iter().enumerate().map(|(i, u)| (u.name.as_str(), i)).collect();
    let known: HashMap<&str, (&plan::Route, &Arc<Route>)> = before
        .iter()
        .flat_map(|before| before.plan.routes.iter().zip(&before.routes))
        .map(|(plan, route)| (plan.name.as_str(), (plan, route)))
        .collect();
    let mut routes = Vec::with_capacity(plan.routes.len());
    for (index, wanted) in plan.routes.iter().enumerate() {
        let before = known.get(wanted.name.as_str()).copied();
        let at = format!("routes.{index}");
        let mut reader = Reader { names: &names, subsets, before, at, issues };
        routes.extend(reader.route(wanted, metrics).map(Arc::new));
    }
    routes
}

/// Reads one route.
struct Reader<'a> {
    names: &'a HashMap<&'a str, usize>,
    subsets: &'a Subsets<'a>,
    before: Option<(&'a plan::Route, &'a Arc<Route>)>,
    at: String,
    issues: &'a mut Vec<Issue>,
}

impl Reader<'_> {
    /// The route; what is wrong with it is told and left out, and without an action there is none.
    fn route(&mut self, wanted: &plan::Route, metrics: &Metrics) -> Option<Route> {
        let response = format!("{}.response_headers", self.at);
        let response_headers = HeaderEdits::build(&wanted.response_headers, &response, self.issues);
        Some(Route {
            id: Route::next_id(),
            body_limit: wanted.limits.body.map(|size| size.0),
            action: self.action(wanted)?,
            response_headers,
            metrics: metrics.route(&wanted.name),
        })
    }

    fn action(&mut self, wanted: &plan::Route) -> Option<Action> {
        let (mut answer, mut destinations) = (None, None);
        match (&wanted.upstream, &wanted.split, &wanted.redirect, &wanted.respond) {
            (Some(name), None, None, None) => {
                let to = self.destination(name, &wanted.subset, "upstream");
                destinations = to.map(Destinations::One);
            }
            (None, Some(shares), None, None) => {
                destinations = self.split(shares).map(Destinations::Split);
            }
            (None, None, Some(redirect), None) => {
                let (path, at) = (wanted.matches.path.as_ref(), format!("{}.redirect", self.at));
                let redirect = Redirect::build(redirect, path, &at, self.issues);
                answer = redirect.map(Action::Redirect);
            }
            (None, None, None, Some(respond)) => answer = self.fixed(respond).map(Action::Respond),
            _ => {
                let wrong = "expected exactly one of `upstream`, `split`, `redirect` and `respond`";
                self.issues.push(Issue::new(self.at.clone(), wrong));
            }
        }
        // Read whatever the route does, so that mistakes in it are told.
        let forward = self.forward(wanted, destinations);
        answer.or_else(|| Some(Action::Forward(Box::new(forward?))))
    }

    fn forward(
        &mut self,
        wanted: &plan::Route,
        destinations: Option<Destinations>,
    ) -> Option<Forward> {
        let at = |option| format!("{}.{option}", self.at);
        let (path, rewrite_at) = (wanted.matches.path.as_ref(), at("rewrite"));
        let (headers_at, retry_at) = (at("request_headers"), at("retry"));
        let rewrite = wanted
            .rewrite
            .as_ref()
            .and_then(|rewrite| Target::build(rewrite, path, &rewrite_at, self.issues));
        let request_headers = HeaderEdits::build(&wanted.request_headers, &headers_at, self.issues);
        let mirror = wanted.mirror.as_ref().and_then(|mirror| self.mirror(mirror));
        let retry = Policy::build(&wanted.retry, &retry_at, self.issues);
        let hedge = wanted.hedge.as_ref().and_then(|hedge| self.hedge(hedge));
        let deadline_header = self.field_name(&wanted.deadline_header, "deadline_header");
        let priority = self.priority(&wanted.priority);
        Some(Forward {
            destinations: destinations?,
            rewrite,
            request_headers,
            mirror,
            timeout: wanted.timeout.map(plan::Millis::duration),
            deadline_header,
            retry,
            hedge,
            priority,
        })
    }

    fn destination(
        &mut self,
        name: &str,
        labels: &plan::Labels,
        option: &str,
    ) -> Option<Destination> {
        let upstream = self.upstream(name, option)?;
        Some(Destination { upstream, subset: self.subsets.find(name, labels) })
    }

    fn upstream(&mut self, name: &str, option: &str) -> Option<usize> {
        let found = self.names.get(name).copied();
        if found.is_none() {
            self.complain(option, format!("there is no upstream `{name}`"));
        }
        found
    }

    fn split(&mut self, wanted: &[plan::Split]) -> Option<Split> {
        let mut shares = Vec::with_capacity(wanted.len());
        let mut bound = 0;
        for (index, share) in wanted.iter().enumerate() {
            bound += u64::from(share.weight);
            let option = format!("split.{index}.upstream");
            let owner = self.destination(&share.upstream, &share.subset, &option)?;
            shares.push((bound, owner));
        }
        if bound == 0 {
            self.complain("split", "expected at least one share with a weight above 0");
            return None;
        }
        Some(Split::new(shares))
    }

    fn hedge(&mut self, wanted: &plan::Hedge) -> Option<Arc<Hedge>> {
        if let Some((plan, route)) = self.before
            && plan.hedge.as_ref() == Some(wanted)
            && let Action::Forward(forward) = &route.action
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

    fn mirror(&mut self, wanted: &plan::Mirror) -> Option<Mirror> {
        if !(0.0..=100.0).contains(&wanted.percent) {
            self.complain("mirror.percent", "expected 0 to 100");
            return None;
        }
        let upstream = self.upstream(&wanted.upstream, "mirror.upstream")?;
        Some(Mirror { upstream, millionths: (wanted.percent * 10_000.0) as u64 })
    }

    fn priority(&mut self, wanted: &plan::RoutePriority) -> RoutePriority {
        let header = self.field_name(&wanted.header, "priority.header");
        RoutePriority { level: wanted.level, header, from_anyone: wanted.from_anyone }
    }

    fn fixed(&mut self, wanted: &plan::Respond) -> Option<Fixed> {
        let headers = self.fields(&wanted.headers, "respond.headers");
        let status = StatusCode::from_u16(wanted.status).ok().filter(|s| s.as_u16() >= 200);
        if status.is_none() {
            let wrong =
                format!("{} is not the status of a response: expected 200 to 599", wanted.status);
            self.complain("respond.status", wrong);
        }
        Some(Fixed { status: status?, headers, body: wanted.body.clone().into() })
    }

    fn fields(&mut self, wanted: &BTreeMap<String, String>, option: &str) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(wanted.len());
        for (name, value) in wanted {
            match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                (Ok(name), Ok(value)) => _ = headers.append(name, value),
                (Err(_), _) => {
                    let wrong = format!("`{name}` is not a field name");
                    self.complain(&format!("{option}.{name}"), wrong);
                }
                (_, Err(_)) => {
                    let wrong = "a field value cannot hold control characters";
                    self.complain(&format!("{option}.{name}"), wrong);
                }
            }
        }
        headers
    }

    fn complain(&mut self, option: &str, wrong: impl Into<String>) {
        self.issues.push(Issue::new(format!("{}.{option}", self.at), wrong));
    }
}
