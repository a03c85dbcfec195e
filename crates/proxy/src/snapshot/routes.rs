//! Building the routes of a plan.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_core::hedge::Hedge;
use tidegate_core::plan::{self, Issue, Plan};
use tidegate_core::retry::Policy;
use tidegate_core::rewrite::{HeaderEdits, Redirect, Target};

use super::Snapshot;
use super::route::{Action, Destination, Fixed, Route, RoutePriority, Split};
use super::subsets::Subsets;
use crate::clock;
use crate::telemetry::metrics::Metrics;

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
        let at = self.at.clone();
        let path = wanted.matches.path.as_ref();
        let rewrite = wanted.rewrite.as_ref().and_then(|rewrite| {
            Target::build(rewrite, path, &format!("{at}.rewrite"), self.issues)
        });
        let request = format!("{at}.request_headers");
        let request_headers = HeaderEdits::build(&wanted.request_headers, &request, self.issues);
        let response = format!("{at}.response_headers");
        let response_headers = HeaderEdits::build(&wanted.response_headers, &response, self.issues);
        let mirror = wanted.mirror.as_ref().and_then(|mirror| self.mirror(mirror));
        let retry = Policy::build(&wanted.retry, &format!("{at}.retry"), self.issues);
        let hedge = wanted.hedge.as_ref().and_then(|hedge| self.hedge(hedge));
        let deadline_header = self.field_name(&wanted.deadline_header, "deadline_header");
        let priority = self.priority(&wanted.priority);
        let action = self.action(wanted)?;
        Some(Route {
            name: wanted.name.clone(),
            action,
            rewrite,
            request_headers,
            response_headers,
            mirror,
            timeout: wanted.timeout.map(plan::Timeout::duration),
            deadline_header,
            retry,
            hedge,
            body_limit: wanted.limits.body.map(plan::Size::get),
            priority,
            metrics: metrics.route(&wanted.name),
        })
    }

    fn action(&mut self, wanted: &plan::Route) -> Option<Action> {
        match (&wanted.upstream, &wanted.split, &wanted.redirect, &wanted.respond) {
            (Some(name), None, None, None) => {
                self.destination(name, &wanted.subset, "upstream").map(Action::Upstream)
            }
            (None, Some(shares), None, None) => self.split(shares).map(Action::Split),
            (None, None, Some(redirect), None) => {
                let (path, at) = (wanted.matches.path.as_ref(), format!("{}.redirect", self.at));
                Redirect::build(redirect, path, &at, self.issues).map(Action::Redirect)
            }
            (None, None, None, Some(respond)) => Some(Action::Respond(self.fixed(respond))),
            _ => {
                let wrong = "expected exactly one of `upstream`, `split`, `redirect` and `respond`";
                self.issues.push(Issue::new(self.at.clone(), wrong));
                None
            }
        }
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
        {
            return route.hedge.clone();
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

    fn mirror(&mut self, wanted: &plan::Mirror) -> Option<(usize, u64)> {
        let upstream = self.upstream(&wanted.upstream, "mirror.upstream")?;
        Some((upstream, (wanted.percent.get() * 10_000.0) as u64))
    }

    fn priority(&mut self, wanted: &plan::RoutePriority) -> RoutePriority {
        let header = self.field_name(&wanted.header, "priority.header");
        RoutePriority { level: wanted.level, header, from_anyone: wanted.from_anyone }
    }

    fn fixed(&mut self, wanted: &plan::Respond) -> Fixed {
        let headers = self.fields(&wanted.headers, "respond.headers");
        Fixed { status: wanted.status.into(), headers, body: wanted.body.clone().into() }
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
