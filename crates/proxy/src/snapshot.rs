//! A snapshot: everything a request is decided by, built once and never changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use tidegate_core::hedge::Hedge;
use tidegate_core::plan::{self, Issue, Plan, Priority};
use tidegate_core::retry::Policy;
use tidegate_core::rewrite::{HeaderEdits, Redirect, Target};
use tidegate_core::route::RouteTable;

use crate::clock;
use crate::subsets::Subsets;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::{Metrics, RouteMetrics};
use crate::upstream::Upstream;

/// Everything a request is decided by.
#[derive(Debug)]
pub struct Snapshot {
    /// What was asked for.
    pub plan: Plan,
    /// Finds a request's route, as an index into `routes`.
    pub table: RouteTable,
    /// In the plan's order.
    pub routes: Vec<Arc<Route>>,
    /// In the plan's order.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Index of each listener by name.
    pub listeners: HashMap<String, usize>,
    /// The access log, where there is one.
    pub access_log: Option<Arc<AccessLog>>,
    /// This gateway's entry in `Via`.
    pub via: Via,
}

/// What is done with the requests of a route.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// What answers.
    pub action: Action,
    /// Changes of the target.
    pub rewrite: Option<Target>,
    /// Changes of the request's fields.
    pub request_headers: HeaderEdits,
    /// Changes of the response's fields.
    pub response_headers: HeaderEdits,
    /// Where copies go: an index into the snapshot's upstreams, and the share in millionths.
    pub mirror: Option<(usize, u64)>,
    /// Longest time for the whole request.
    pub timeout: Option<Duration>,
    /// The field that says how long a request may still take.
    pub deadline_header: Option<HeaderName>,
    /// When a try is repeated.
    pub retry: Policy,
    /// When a second try is made beside one that takes long; what it learned survives a reload.
    pub hedge: Option<Arc<Hedge>>,
    /// Bytes of a request's body.
    pub body_limit: Option<u64>,
    /// How important its requests are.
    pub priority: RoutePriority,
    /// Its counts.
    pub metrics: Arc<RouteMetrics>,
}

/// How important a route's requests are.
#[derive(Debug)]
pub struct RoutePriority {
    level: Priority,
    header: Option<HeaderName>,
    from_anyone: bool,
}

impl RoutePriority {
    /// The class of a request with these fields, from a peer that is `trusted` or not.
    pub fn of(&self, headers: &HeaderMap, trusted: bool) -> Priority {
        let asked = self.header.as_ref().filter(|_| trusted || self.from_anyone);
        let named = asked.and_then(|name| Priority::named(headers.get(name)?.as_bytes()));
        named.unwrap_or(self.level)
    }
}

/// What answers a request.
#[derive(Debug)]
pub enum Action {
    /// One upstream.
    Upstream(Destination),
    /// One of several upstreams.
    Split(Split),
    /// A redirect.
    Redirect(Redirect),
    /// A fixed response.
    Respond(Fixed),
}

/// Where requests go.
#[derive(Debug, Clone, Copy)]
pub struct Destination {
    /// The upstream, by index.
    pub upstream: usize,
    /// The labels that its endpoint must carry, by their place in [`Upstream::subsets`].
    pub subset: Option<usize>,
}

/// This gateway's entries in `Via` (RFC 9110 §7.6.3), by the version that a message was received in.
#[derive(Debug)]
pub struct Via {
    v1_0: HeaderValue,
    v1_1: HeaderValue,
    v2: HeaderValue,
}

impl Via {
    fn new(name: &str) -> Option<Self> {
        let entry = |version| HeaderValue::try_from(format!("{version} {name}")).ok();
        Some(Self { v1_0: entry("1.0")?, v1_1: entry("1.1")?, v2: entry("2.0")? })
    }

    /// The entry for a message of this version.
    pub fn of(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_10 => &self.v1_0,
            Version::HTTP_2 => &self.v2,
            _ => &self.v1_1,
        }
    }
}

impl Default for Via {
    fn default() -> Self {
        Self {
            v1_0: HeaderValue::from_static("1.0 tidegate"),
            v1_1: HeaderValue::from_static("1.1 tidegate"),
            v2: HeaderValue::from_static("2.0 tidegate"),
        }
    }
}

/// Shares between upstreams.
#[derive(Debug)]
pub struct Split {
    /// Upper bound of each share, and whose it is.
    shares: Vec<(u64, Destination)>,
}

impl Split {
    /// The sum of all weights.
    pub fn total(&self) -> u64 {
        self.shares.last().map_or(0, |(bound, _)| *bound)
    }

    /// Whose `point` is, which is below [`total`](Self::total).
    pub fn owner(&self, point: u64) -> Option<Destination> {
        let share = self.shares.partition_point(|(bound, _)| *bound <= point);
        self.shares.get(share).map(|(_, owner)| *owner)
    }
}

/// A fixed response.
#[derive(Debug)]
pub struct Fixed {
    /// Status.
    pub status: StatusCode,
    /// Fields.
    pub headers: HeaderMap,
    /// Content.
    pub body: Bytes,
}

impl Snapshot {
    /// A snapshot that answers nothing.
    pub fn empty(workers: usize) -> Self {
        let plan = Plan {
            name: "tidegate".into(),
            zone: None,
            workers: u32::try_from(workers).unwrap_or(u32::MAX),
            drain_timeout: plan::Millis(0),
            access_log: None,
            explain: plan::Explain { sample: 0.0, keep: 0, slow: plan::Millis(0) },
            listeners: Vec::new(),
            routes: Vec::new(),
            upstreams: Vec::new(),
        };
        Self {
            table: RouteTable::default(),
            routes: Vec::new(),
            upstreams: Vec::new(),
            listeners: HashMap::new(),
            access_log: None,
            via: Via::default(),
            plan,
        }
    }

    /// Build what `plan` asks for, taking over from `before` what stayed the same.
    ///
    /// # Errors
    /// Everything that is wrong with the plan.
    pub fn build(
        plan: Plan,
        before: Option<&Snapshot>,
        metrics: &Metrics,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let subsets = Subsets::of(&plan.routes);
        let upstreams = build_upstreams(&plan, &subsets, before, metrics, &mut issues);
        let table = RouteTable::build(&plan.routes, &plan.listeners)
            .map_err(|more| issues.extend(more))
            .ok();
        let routes = build_routes(&plan, before, &subsets, metrics, &mut issues);
        let listeners =
            plan.listeners.iter().enumerate().map(|(i, l)| (l.name.clone(), i)).collect();
        let via = Via::new(&plan.name);
        if via.is_none() || plan.name.is_empty() || plan.name.contains([' ', ';', ',', '"']) {
            issues.push(Issue::new("name", "expected a name without spaces or punctuation"));
        }
        if !(0.0..=1.0).contains(&plan.explain.sample) {
            issues.push(Issue::new("explain.sample", "expected a share from 0 to 1"));
        }
        let access_log = open_log(&plan, before, &mut issues);
        match (table, via) {
            (Some(table), Some(via)) if issues.is_empty() => {
                Ok(Self { table, routes, upstreams, listeners, access_log, via, plan })
            }
            _ => Err(issues),
        }
    }
}

fn build_upstreams(
    plan: &Plan,
    subsets: &Subsets<'_>,
    before: Option<&Snapshot>,
    metrics: &Metrics,
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
            same_zone && before.plan == *wanted && before.subsets == asked
        };
        if let Some(same) = before.filter(stays) {
            upstreams.push(same.clone());
            continue;
        }
        let path = format!("upstreams.{index}");
        let zone = plan.zone.as_deref();
        match Upstream::build(wanted, before.map(Arc::as_ref), &path, zone, asked, metrics) {
            Ok(upstream) => upstreams.push(Arc::new(upstream)),
            Err(more) => issues.extend(more),
        }
    }
    upstreams
}

fn build_routes(
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
        let mut builder = Builder { names: &names, subsets, before, at, issues };
        if let Some(route) = builder.route(wanted, metrics) {
            routes.push(Arc::new(route));
        }
    }
    routes
}

/// Reads one route.
struct Builder<'a> {
    names: &'a HashMap<&'a str, usize>,
    subsets: &'a Subsets<'a>,
    before: Option<(&'a plan::Route, &'a Arc<Route>)>,
    at: String,
    issues: &'a mut Vec<Issue>,
}

impl Builder<'_> {
    fn route(&mut self, wanted: &plan::Route, metrics: &Metrics) -> Option<Route> {
        let at = self.at.clone();
        let path = wanted.matches.path.as_ref();
        let rewrite = wanted
            .rewrite
            .as_ref()
            .map(|rewrite| Target::build(rewrite, path, &format!("{at}.rewrite"), self.issues));
        let request = format!("{at}.request_headers");
        let request_headers = HeaderEdits::build(&wanted.request_headers, &request, self.issues);
        let response = format!("{at}.response_headers");
        let response_headers = HeaderEdits::build(&wanted.response_headers, &response, self.issues);
        let mirror = wanted.mirror.as_ref().map(|mirror| self.mirror(mirror));
        let retry = Policy::build(&wanted.retry, &format!("{at}.retry"), self.issues);
        let hedge = wanted.hedge.as_ref().map(|hedge| self.hedge(hedge));
        let deadline_header = wanted.deadline_header.as_ref().map(|name| self.field_name(name));
        let priority = self.priority(&wanted.priority);
        let action = self.action(wanted);
        Some(Route {
            name: wanted.name.clone(),
            action: action?,
            rewrite: match rewrite {
                Some(built) => Some(built?),
                None => None,
            },
            request_headers,
            response_headers,
            mirror: match mirror {
                Some(found) => Some(found?),
                None => None,
            },
            timeout: wanted.timeout.map(plan::Millis::duration),
            deadline_header: match deadline_header {
                Some(name) => Some(name?),
                None => None,
            },
            retry,
            hedge: match hedge {
                Some(built) => Some(built?),
                None => None,
            },
            body_limit: wanted.limits.body.map(|size| size.0),
            priority: priority?,
            metrics: metrics.route(&wanted.name),
        })
    }

    fn action(&mut self, wanted: &plan::Route) -> Option<Action> {
        let at = self.at.clone();
        match (&wanted.upstream, &wanted.split, &wanted.redirect, &wanted.respond) {
            (Some(name), None, None, None) => {
                let at = format!("{at}.upstream");
                self.destination(name, &wanted.subset, at).map(Action::Upstream)
            }
            (None, Some(shares), None, None) => self.split(shares).map(Action::Split),
            (None, None, Some(redirect), None) => {
                let path = wanted.matches.path.as_ref();
                Redirect::build(redirect, path, &format!("{at}.redirect"), self.issues)
                    .map(Action::Redirect)
            }
            (None, None, None, Some(respond)) => self.fixed(respond).map(Action::Respond),
            _ => {
                let wrong = "expected exactly one of `upstream`, `split`, `redirect` and `respond`";
                self.issues.push(Issue::new(at, wrong));
                None
            }
        }
    }

    fn destination(
        &mut self,
        name: &str,
        labels: &plan::Labels,
        at: String,
    ) -> Option<Destination> {
        let upstream = self.upstream(name, at)?;
        Some(Destination { upstream, subset: self.subsets.find(name, labels) })
    }

    fn upstream(&mut self, name: &str, at: String) -> Option<usize> {
        let found = self.names.get(name).copied();
        if found.is_none() {
            self.issues.push(Issue::new(at, format!("there is no upstream `{name}`")));
        }
        found
    }

    fn split(&mut self, wanted: &[plan::Split]) -> Option<Split> {
        let at = format!("{}.split", self.at);
        let mut shares = Vec::with_capacity(wanted.len());
        let mut bound = 0;
        for (index, share) in wanted.iter().enumerate() {
            bound += u64::from(share.weight);
            let place = format!("{at}.{index}.upstream");
            let owner = self.destination(&share.upstream, &share.subset, place)?;
            shares.push((bound, owner));
        }
        if bound == 0 {
            self.issues.push(Issue::new(at, "expected at least one share with a weight above 0"));
            return None;
        }
        Some(Split { shares })
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

    fn field_name(&mut self, name: &str) -> Option<HeaderName> {
        let found = HeaderName::try_from(name);
        if found.is_err() {
            let at = format!("{}.deadline_header", self.at);
            self.issues.push(Issue::new(at, format!("`{name}` is not a field name")));
        }
        found.ok()
    }

    fn mirror(&mut self, wanted: &plan::Mirror) -> Option<(usize, u64)> {
        let at = format!("{}.mirror", self.at);
        if !(0.0..=100.0).contains(&wanted.percent) {
            self.issues.push(Issue::new(format!("{at}.percent"), "expected 0 to 100"));
            return None;
        }
        let upstream = self.upstream(&wanted.upstream, format!("{at}.upstream"))?;
        Some((upstream, (wanted.percent * 10_000.0) as u64))
    }

    fn priority(&mut self, wanted: &plan::RoutePriority) -> Option<RoutePriority> {
        let header = wanted.header.as_ref().map(HeaderName::try_from).transpose();
        if header.is_err() {
            let at = format!("{}.priority.header", self.at);
            self.issues.push(Issue::new(at, "expected the name of a header field"));
        }
        let (level, from_anyone) = (wanted.level, wanted.from_anyone);
        Some(RoutePriority { level, header: header.ok()?, from_anyone })
    }

    fn fixed(&mut self, wanted: &plan::Respond) -> Option<Fixed> {
        let at = format!("{}.respond", self.at);
        let status = StatusCode::from_u16(wanted.status).ok().filter(|s| s.as_u16() >= 200);
        if status.is_none() {
            let wrong =
                format!("{} is not the status of a response: expected 200 to 599", wanted.status);
            self.issues.push(Issue::new(format!("{at}.status"), wrong));
        }
        let headers = self.fields(&wanted.headers, &format!("{at}.headers"));
        Some(Fixed { status: status?, headers: headers?, body: wanted.body.clone().into() })
    }

    fn fields(&mut self, wanted: &BTreeMap<String, String>, at: &str) -> Option<HeaderMap> {
        let mut headers = HeaderMap::with_capacity(wanted.len());
        let known = self.issues.len();
        for (name, value) in wanted {
            match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                (Ok(name), Ok(value)) => _ = headers.append(name, value),
                (Err(_), _) => {
                    let wrong = format!("`{name}` is not a field name");
                    self.issues.push(Issue::new(format!("{at}.{name}"), wrong));
                }
                (_, Err(_)) => {
                    let wrong = "a field value cannot hold control characters";
                    self.issues.push(Issue::new(format!("{at}.{name}"), wrong));
                }
            }
        }
        (self.issues.len() == known).then_some(headers)
    }
}

fn open_log(
    plan: &Plan,
    before: Option<&Snapshot>,
    issues: &mut Vec<Issue>,
) -> Option<Arc<AccessLog>> {
    let wanted = plan.access_log.as_ref()?;
    if let Some(before) = before.filter(|before| before.plan.access_log.as_ref() == Some(wanted)) {
        return before.access_log.clone();
    }
    AccessLog::open(wanted, plan.workers as usize)
        .map_err(|error| {
            let wrong = format!("`{}` cannot be opened for appending: {error}", wanted.path);
            issues.push(Issue::new("access_log.path", wrong));
        })
        .ok()
}
