//! Why a request goes where it goes, and the table for people to read.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::host::{self, HostPattern};
use super::rule::Rule;
use super::{RouteQuery, RouteTable};

/// How many routes an explanation shows beside the one that is taken.
const NEAREST: usize = 20;

/// Which route takes a request, and why the nearer ones do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Name of the route that is taken.
    pub route: Option<String>,
    /// What that route does, in words.
    pub action: Option<String>,
    /// Its captures.
    pub captures: BTreeMap<String, String>,
    /// The routes that come before it and are most like it, in order of precedence, and itself.
    pub considered: Vec<Considered>,
}

/// A route that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Its name.
    pub route: String,
    /// Whether it takes the request.
    pub matched: bool,
    /// Why not; nothing where it does.
    pub reason: Option<String>,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The route's name.
    pub route: String,
    /// The hosts it serves; `*`: all.
    pub hosts: Vec<String>,
    /// Its path: `= /exact`, `/template/{x}`, `~ regex` or `/prefix/*`.
    pub path: String,
    /// Its other conditions, in words.
    pub conditions: Vec<String>,
    /// What it does, in words.
    pub action: String,
}

/// How far a rule is from taking a request; the nearest is the greatest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    Host,
    Path { common: usize },
    Conditions,
}

impl RouteTable {
    /// Which route takes `request`, and why up to 20 nearer ones, which would come before it, do not.
    ///
    /// It looks at every route; it is for people, not for requests.
    pub fn explain(&self, request: &RouteQuery<'_>) -> Explanation {
        let host = host::canonical(request.host);
        let found = self.find(request);
        let mut ranked: Vec<_> = self
            .rules
            .iter()
            .enumerate()
            .map(|(at, rule)| ((host_rank(rule, &host), at), rule))
            .collect();
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        let taken = found
            .as_ref()
            .and_then(|found| ranked.iter().position(|(_, r)| r.route == found.route));

        let before = &ranked[..taken.unwrap_or(ranked.len())];
        let mut refused: Vec<_> = before
            .iter()
            .enumerate()
            .filter_map(|(at, (_, rule))| Some((refusal(rule, &host, request)?, at, *rule)))
            .collect();
        refused.sort_by(|((a, _), ..), ((b, _), ..)| b.cmp(a));
        refused.truncate(NEAREST);
        refused.sort_unstable_by_key(|(_, at, _)| *at);

        let taken = taken.map(|at| ranked[at].1);
        let considered = refused
            .into_iter()
            .map(|((_, reason), _, rule)| (rule, Some(reason)))
            .chain(taken.map(|rule| (rule, None)))
            .map(|(rule, reason)| Considered {
                route: rule.name.to_string(),
                matched: reason.is_none(),
                reason,
            })
            .collect();
        Explanation {
            route: taken.map(|rule| rule.name.to_string()),
            action: taken.map(|rule| rule.action.clone()),
            captures: found
                .iter()
                .flat_map(|found| found.captures.iter(request.path))
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect(),
            considered,
        }
    }

    /// The routes in order of precedence; a route of several hosts stands where its first one does.
    pub fn rows(&self) -> Vec<Row> {
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_by_key(|rule| rule.hosts.iter().map(HostPattern::rank).min());
        let row = |rule: &Rule| Row {
            route: rule.name.to_string(),
            hosts: rule.hosts.iter().map(ToString::to_string).collect(),
            path: rule.path.to_string(),
            conditions: rule
                .conditions
                .as_ref()
                .map_or_else(Vec::new, |conditions| conditions.describe(&self.listeners)),
            action: rule.action.clone(),
        };
        rules.into_iter().map(row).collect()
    }
}

/// The place that its host gives `rule` for a request to `host`; a foreign host counts like its own.
fn host_rank(rule: &Rule, host: &str) -> Option<(u8, Reverse<usize>)> {
    let best = |fitting: bool| {
        let patterns = rule.hosts.iter().filter(|pattern| !fitting || pattern.fits(host));
        patterns.map(HostPattern::rank).min()
    };
    best(true).or_else(|| best(false))
}

/// Why `rule` does not take `request`.
fn refusal(rule: &Rule, host: &str, request: &RouteQuery<'_>) -> Option<(Nearness, String)> {
    if !rule.hosts.iter().any(|pattern| pattern.fits(host)) {
        let hosts: Vec<_> = rule.hosts.iter().map(ToString::to_string).collect();
        let reason = match hosts.as_slice() {
            [only] => format!("host {host} is not {only}"),
            several => format!("host {host} is not one of {}", several.join(", ")),
        };
        return Some((Nearness::Host, reason));
    }
    if !rule.path.matches(request.path) {
        let common = rule.path.resemblance(request.path);
        return Some((Nearness::Path { common }, rule.path.refusal(request.path)));
    }
    rule.unmet(request).map(|unmet| (Nearness::Conditions, unmet.to_string()))
}
