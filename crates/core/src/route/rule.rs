//! A route as the table keeps it.

use super::condition::{Conditions, Precedence, Unmet};
use super::host::HostPattern;
use super::pattern::{PathPattern, PathRank};
use super::{Found, RouteQuery};
use crate::plan::{Issue, Route};

/// A route as the table keeps it.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its index in the plan.
    pub(super) route: usize,
    pub(super) name: Box<str>,
    /// Never empty.
    pub(super) hosts: Vec<HostPattern>,
    pub(super) path: PathPattern,
    pub(super) conditions: Option<Box<Conditions>>,
    /// What it does, in words.
    pub(super) action: String,
}

impl Rule {
    /// Reads the route at `index`; what is wrong with it is added to `issues`.
    pub(super) fn build(
        index: usize,
        route: &Route,
        listeners: &[&str],
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        let at = format!("routes.{index}");
        let hosts = hosts(&route.matches.hosts, &format!("{at}.match.hosts"), issues);
        let path_match = route.matches.path.as_ref();
        let path = PathPattern::build(path_match, &format!("{at}.match.path"), issues);
        let conditions = Conditions::build(route, listeners, &at, issues);
        let name = route.name.as_str().into();
        Some(Self { route: index, name, hosts, path: path?, conditions, action: action(route) })
    }

    /// Its place among the routes of one host: path, conditions, listeners, file order.
    pub(super) fn precedence(&self) -> (PathRank, Precedence, usize) {
        let conditions = self.conditions.as_ref().map_or(Conditions::NONE, |c| c.precedence());
        (self.path.rank(), conditions, self.route)
    }

    /// The first of its conditions beside host and path that `request` does not fulfil.
    pub(super) fn unmet<'a>(&'a self, request: &RouteQuery<'a>) -> Option<Unmet<'a>> {
        self.conditions.as_ref()?.unmet(request)
    }

    /// What is found when it takes `path`.
    pub(super) fn found(&self, path: &str) -> Found {
        Found {
            route: self.route,
            prefix: self.path.prefix_len(),
            captures: self.path.captures(path),
        }
    }
}

/// Whether both routes give the same rule.
pub(super) fn is_alike(one: &Route, other: &Route) -> bool {
    one.name == other.name
        && one.matches == other.matches
        && one.listeners == other.listeners
        && action(one) == action(other)
}

fn hosts(patterns: &[String], at: &str, issues: &mut Vec<Issue>) -> Vec<HostPattern> {
    if patterns.is_empty() {
        return vec![HostPattern::Any];
    }
    let mut hosts = Vec::with_capacity(patterns.len());
    for (position, pattern) in patterns.iter().enumerate() {
        match HostPattern::parse(pattern) {
            Ok(host) if hosts.contains(&host) => {}
            Ok(host) => hosts.push(host),
            Err(wrong) => issues.push(Issue::new(format!("{at}.{position}"), wrong)),
        }
    }
    hosts
}

fn action(route: &Route) -> String {
    if let Some(upstream) = &route.upstream {
        return format!("upstream {upstream}");
    }
    if let Some(shares) = &route.split {
        let shares: Vec<_> =
            shares.iter().map(|share| format!("{} {}", share.upstream, share.weight)).collect();
        return format!("split {}", shares.join(", "));
    }
    if let Some(redirect) = &route.redirect {
        return format!("redirect {}", u16::from(redirect.status));
    }
    route
        .respond
        .as_ref()
        .map_or_else(String::new, |respond| format!("respond {}", respond.status.get()))
}
