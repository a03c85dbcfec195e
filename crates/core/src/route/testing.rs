//! What tests of routes and rewrites share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::pattern::PathPattern;
use super::rule::Rule;
use super::{Found, RouteQuery, RouteTable};
use crate::plan::{self, Issue, PathMatch, Route};

/// A route of the plan with defaults for what `options` leave out.
pub(crate) fn route(options: Value) -> Route {
    let mut whole = plan::testing::plan()["routes"][0].take();
    for (option, value) in options.as_object().unwrap() {
        match (option.as_str(), value) {
            ("match", Value::Object(matches)) => {
                whole["match"].as_object_mut().unwrap().extend(matches.clone());
            }
            _ => whole[option] = value.clone(),
        }
    }
    serde_json::from_value(whole).unwrap()
}

/// The condition on the path that `value` means; null: none.
pub(crate) fn path_match(value: &Value) -> Option<PathMatch> {
    serde_json::from_value(value.clone()).unwrap()
}

/// What a route that matches `value` finds in `path`.
pub(crate) fn found(value: &Value, path: &str) -> Found {
    let route = route(json!({"match": {"path": value}}));
    let rule = Rule::build(0, &route, &[], &mut Vec::new()).unwrap();
    assert!(rule.path.matches(path) || matches!(rule.path, PathPattern::Prefix(_)));
    rule.found(path)
}

/// Builds a table of routes that are given with their options, for the listeners `web` and `secure`.
pub(crate) fn try_build(routes: &[Value]) -> Result<RouteTable, Vec<Issue>> {
    let routes: Vec<_> = routes.iter().cloned().map(route).collect();
    RouteTable::build(&routes, &["web", "secure"])
}

/// A table of routes that are given by their `match`; their names are their positions.
pub(crate) fn table(matches: &[Value]) -> RouteTable {
    let named = |(at, matches): (usize, &Value)| json!({"name": at.to_string(), "match": matches});
    try_build(&matches.iter().enumerate().map(named).collect::<Vec<_>>()).unwrap()
}

/// A request, by default `GET http://example.com/` on the first listener.
pub(crate) struct Request {
    pub(crate) listener: usize,
    pub(crate) host: &'static str,
    pub(crate) path: String,
    pub(crate) query: Option<&'static str>,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
}

/// [`Request`] for `path`.
pub(crate) fn get(path: &str) -> Request {
    Request {
        listener: 0,
        host: "example.com",
        path: path.into(),
        query: None,
        method: Method::GET,
        headers: HeaderMap::new(),
    }
}

impl Request {
    pub(crate) fn host(self, host: &'static str) -> Self {
        Self { host, ..self }
    }

    pub(crate) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn query(self, query: &'static str) -> Self {
        Self { query: Some(query), ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    pub(crate) fn as_query(&self) -> RouteQuery<'_> {
        RouteQuery {
            listener: self.listener,
            host: self.host,
            path: &self.path,
            query: self.query,
            method: &self.method,
            headers: &self.headers,
        }
    }

    pub(crate) fn on(&self, table: &RouteTable) -> Option<usize> {
        table.find(&self.as_query()).map(|found| found.route)
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_query().fmt(f)
    }
}
