//! Finding the route that takes a request.
//!
//! One order of precedence decides, whatever order the file has; `docs/concepts/routing.md` gives the
//! reasons. The first difference counts:
//!
//! 1. host: exact, then the longest wildcard, then any. Where no route of a host takes the request,
//!    the less specific hosts are asked;
//! 2. path: exact; then templates (more literal segments, more segments, no `{*rest}`, literals further
//!    left); then regexes (more literal segments at the beginning); then the longest prefix. No path is
//!    prefix `/`;
//! 3. a condition on the method; more header fields; more query parameters; more cookies;
//! 4. restricted to listeners before unrestricted;
//! 5. the order of the file.
//!
//! Paths are matched in the normal form that [`normalize_path`] gives, which is what the upstream gets.
//! A look-up hashes the host, the path and its segments, and then looks only at routes whose host and
//! path match, so that its cost does not grow with the number of routes.

pub(crate) mod anchored;
mod captures;
mod condition;
mod explain;
pub(crate) mod host;
mod index;
#[cfg(test)]
mod naive;
mod normalize;
pub(crate) mod pattern;
mod rule;
pub(crate) mod template;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use captures::Captures;
pub use explain::{Considered, Explanation, Row};
pub use normalize::{PathError, normalize_path};

use std::borrow::Borrow;
use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::plan::{Issue, Route};
use index::HostIndex;
use rule::Rule;

/// Whether `text` is a path template.
///
/// # Errors
/// What is wrong with it.
pub fn check_template(text: &str) -> Result<(), String> {
    template::Template::parse(text).map(drop)
}

/// What routing looks at in a request.
#[derive(Debug, Clone, Copy)]
pub struct RouteQuery<'a> {
    /// Index into the plan's listeners.
    pub listener: usize,
    /// The authority as sent; port and case do not count.
    pub host: &'a str,
    /// The path as [`normalize_path`] gives it, without the query.
    pub path: &'a str,
    /// The query as sent, without `?`.
    pub query: Option<&'a str>,
    /// The method.
    pub method: &'a Method,
    /// The header fields.
    pub headers: &'a HeaderMap,
}

/// The route that takes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Index into the plan's routes.
    pub route: usize,
    /// How many bytes of the path are the matched prefix, without its last slash; 0 where the route
    /// has no prefix.
    pub prefix: usize,
    /// What the route's template or regex captured.
    pub captures: Captures,
}

/// All routes, ready to be searched. It is built once and never changes.
#[derive(Debug, Default)]
pub struct RouteTable {
    /// In order of precedence within a host.
    rules: Vec<Rule>,
    index: HostIndex,
    /// Names of the plan's listeners.
    listeners: Vec<Box<str>>,
}

impl RouteTable {
    /// Reads the matching part of `routes`, which may name these `listeners`.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn build(routes: &[impl Borrow<Route>], listeners: &[&str]) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let mut rules: Vec<_> = routes
            .iter()
            .enumerate()
            .filter_map(|(index, route)| Rule::build(index, route.borrow(), listeners, &mut issues))
            .collect();
        if !issues.is_empty() {
            return Err(issues);
        }
        rules.sort_by_cached_key(Rule::precedence);
        let index = HostIndex::build(&rules).map_err(|issue| vec![issue])?;
        let listeners = listeners.iter().map(|&name| name.into()).collect();
        Ok(Self { rules, index, listeners })
    }

    /// Whether a table that was built from `before` is that of `after` too: the routes match alike, in the same
    /// order, and are told of alike. Quick where most of them are the same ones.
    pub fn serves_both(before: &[Arc<Route>], after: &[Arc<Route>]) -> bool {
        let is_alike = |(one, other): (&Arc<Route>, &Arc<Route>)| {
            Arc::ptr_eq(one, other) || rule::is_alike(one, other)
        };
        before.len() == after.len() && before.iter().zip(after).all(is_alike)
    }

    /// The route that takes `request`.
    pub fn find(&self, request: &RouteQuery<'_>) -> Option<Found> {
        let accepts = |number: u32| {
            self.rules.get(number as usize).is_some_and(|rule| rule.unmet(request).is_none())
        };
        let host = host::canonical(request.host);
        let number = self.index.find(&host, request.path, accepts)?;
        self.rules.get(number as usize).map(|rule| rule.found(request.path))
    }
}
