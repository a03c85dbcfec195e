//! Conditions beyond host and path: listener, method, header fields, query parameters, cookies.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use http::{HeaderName, Method};
use regex::bytes::Regex;

use super::RouteQuery;
use super::anchored::anchored;
use crate::message::field::cookies;
use crate::plan::{FieldMatch, Issue, Route};
use crate::query::parameters;

/// What a request has to fulfil beside host and path. Empty lists ask for nothing.
#[derive(Debug)]
pub(super) struct Conditions {
    listeners: Vec<usize>,
    methods: Vec<Method>,
    headers: Vec<(HeaderName, Test)>,
    query: Vec<(Box<str>, Test)>,
    cookies: Vec<(Box<str>, Test)>,
}

/// A test of a named value. One value that passes is enough where there are several.
#[derive(Debug)]
pub(super) enum Test {
    Exact(Box<str>),
    Prefix(Box<str>),
    Regex { source: Box<str>, regex: Regex },
    Present(bool),
}

/// The condition that a request does not fulfil.
#[derive(Debug)]
pub(super) enum Unmet<'a> {
    Listener,
    Method { sent: &'a Method, taken: &'a [Method] },
    Value { kind: &'static str, name: &'a str, test: &'a Test, sent: bool },
}

impl Conditions {
    /// Reads the conditions of `route`, whose option stands at `at`; none if it asks for nothing.
    pub(super) fn build(
        route: &Route,
        listeners: &[&str],
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Box<Self>> {
        let wanted = &route.matches;
        let built = Self {
            listeners: positions(&route.listeners, listeners, at, issues),
            methods: methods(&wanted.methods, &format!("{at}.match.methods"), issues),
            headers: tests(&wanted.headers, &format!("{at}.match.headers"), issues, |name| {
                HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| format!("`{name}` is not the name of a header field"))
            }),
            query: tests(&wanted.query, &format!("{at}.match.query"), issues, named),
            cookies: tests(&wanted.cookies, &format!("{at}.match.cookies"), issues, named),
        };
        (built.precedence() != Self::NONE).then(|| Box::new(built))
    }

    /// The place of a route without conditions in the order of precedence.
    pub(super) const NONE: Precedence =
        (Reverse(false), Reverse(0), Reverse(0), Reverse(0), Reverse(false));

    /// Its place in the order of precedence: the more it asks for, the earlier.
    pub(super) fn precedence(&self) -> Precedence {
        (
            Reverse(!self.methods.is_empty()),
            Reverse(self.headers.len()),
            Reverse(self.query.len()),
            Reverse(self.cookies.len()),
            Reverse(!self.listeners.is_empty()),
        )
    }

    /// The first condition that `request` does not fulfil.
    pub(super) fn unmet<'a>(&'a self, request: &RouteQuery<'a>) -> Option<Unmet<'a>> {
        if !self.listeners.is_empty() && !self.listeners.contains(&request.listener) {
            return Some(Unmet::Listener);
        }
        if !self.methods.is_empty() && !self.methods.contains(request.method) {
            return Some(Unmet::Method { sent: request.method, taken: &self.methods });
        }
        let header = self.headers.iter().find_map(|(name, test)| {
            let values = || request.headers.get_all(name).iter().map(|v| Cow::from(v.as_bytes()));
            test.unmet("header", name.as_str(), values)
        });
        let query = || {
            self.query.iter().find_map(|(name, test)| {
                test.unmet("query parameter", name, || parameters(request.query, name))
            })
        };
        let cookie = || {
            self.cookies.iter().find_map(|(name, test)| {
                test.unmet("cookie", name, || cookies(request.headers, name).map(Cow::from))
            })
        };
        header.or_else(query).or_else(cookie)
    }

    /// The conditions in words, with `listeners` by name.
    pub(super) fn describe(&self, listeners: &[Box<str>]) -> Vec<String> {
        let mut words = Vec::new();
        if !self.methods.is_empty() {
            words.push(format!("method {}", Alternatives(&self.methods)));
        }
        words.extend(self.headers.iter().map(|(name, test)| format!("header {name} {test}")));
        words
            .extend(self.query.iter().map(|(name, test)| format!("query parameter {name} {test}")));
        words.extend(self.cookies.iter().map(|(name, test)| format!("cookie {name} {test}")));
        let names: Vec<_> = self.listeners.iter().filter_map(|&at| listeners.get(at)).collect();
        if !names.is_empty() {
            words.push(format!("listener {}", Alternatives(&names)));
        }
        words
    }
}

/// Methods, header fields, query parameters, cookies, listeners.
pub(super) type Precedence =
    (Reverse<bool>, Reverse<usize>, Reverse<usize>, Reverse<usize>, Reverse<bool>);

impl Test {
    fn build(wanted: &FieldMatch) -> Result<Self, (&'static str, String)> {
        let FieldMatch { name: _, exact, prefix, regex, present } = wanted;
        match (exact, prefix, regex, present) {
            (Some(text), None, None, None) => Ok(Self::Exact(text.as_str().into())),
            (None, Some(text), None, None) => Ok(Self::Prefix(text.as_str().into())),
            (None, None, Some(source), None) => {
                let regex = anchored(source)
                    .and_then(|(whole, _)| Regex::new(&whole).map_err(|error| error.to_string()))
                    .map_err(|wrong| (".regex", wrong))?;
                Ok(Self::Regex { source: source.as_str().into(), regex })
            }
            (None, None, None, Some(present)) => Ok(Self::Present(*present)),
            _ => {
                let wanted = "expected exactly one of `exact`, `prefix`, `regex` and `present`";
                Err(("", wanted.into()))
            }
        }
    }

    fn unmet<'a, 'v, V: Iterator<Item = Cow<'v, [u8]>>>(
        &'a self,
        kind: &'static str,
        name: &'a str,
        values: impl Fn() -> V,
    ) -> Option<Unmet<'a>> {
        let passed = match self {
            Self::Exact(text) => values().any(|value| *value == *text.as_bytes()),
            Self::Prefix(text) => values().any(|value| value.starts_with(text.as_bytes())),
            Self::Regex { regex, .. } => values().any(|value| regex.is_match(&value)),
            Self::Present(present) => values().next().is_some() == *present,
        };
        let unmet = || Unmet::Value { kind, name, test: self, sent: values().next().is_some() };
        (!passed).then(unmet)
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "is {text:?}"),
            Self::Prefix(text) => write!(f, "begins with {text:?}"),
            Self::Regex { source, .. } => write!(f, "matches {source}"),
            Self::Present(true) => f.write_str("is present"),
            Self::Present(false) => f.write_str("is absent"),
        }
    }
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener => f.write_str("it does not serve this listener"),
            Self::Method { sent, taken: [only] } => write!(f, "method {sent} is not {only}"),
            Self::Method { sent, taken } => {
                write!(f, "method {sent} is not one of {}", Alternatives(taken))
            }
            Self::Value { kind, name, sent: false, .. } => write!(f, "{kind} {name} is absent"),
            Self::Value { kind, name, test: Test::Present(_), .. } => {
                write!(f, "{kind} {name} is present")
            }
            Self::Value { kind, name, test, .. } => {
                write!(f, "{kind} {name} has no value that {test}")
            }
        }
    }
}

/// Shows a list as `GET, HEAD`.
struct Alternatives<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Alternatives<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn positions(
    names: &[String],
    listeners: &[&str],
    at: &str,
    issues: &mut Vec<Issue>,
) -> Vec<usize> {
    let position = |(at_name, name): (usize, &String)| {
        let position = listeners.iter().position(|listener| listener == name);
        if position.is_none() {
            let wrong = format!("there is no listener `{name}`");
            issues.push(Issue::new(format!("{at}.listeners.{at_name}"), wrong));
        }
        position
    };
    names.iter().enumerate().filter_map(position).collect()
}

fn methods(names: &[String], at: &str, issues: &mut Vec<Issue>) -> Vec<Method> {
    let method = |(position, name): (usize, &String)| {
        let wrong = match Method::from_bytes(name.as_bytes()) {
            Ok(method) if method.as_str() == name.to_ascii_uppercase() => return Some(method),
            Ok(_) => {
                format!("methods are case-sensitive: write `{}`", name.to_ascii_uppercase())
            }
            Err(_) => format!("`{name}` is not a method (RFC 9110 §9.1)"),
        };
        issues.push(Issue::new(format!("{at}.{position}"), wrong));
        None
    };
    names.iter().enumerate().filter_map(method).collect()
}

fn tests<N>(
    wanted: &[FieldMatch],
    at: &str,
    issues: &mut Vec<Issue>,
    name: impl Fn(&str) -> Result<N, String>,
) -> Vec<(N, Test)> {
    let mut built = Vec::with_capacity(wanted.len());
    for (position, field) in wanted.iter().enumerate() {
        let name = name(&field.name)
            .map_err(|wrong| issues.push(Issue::new(format!("{at}.{position}.name"), wrong)));
        let test = Test::build(field).map_err(|(option, wrong)| {
            issues.push(Issue::new(format!("{at}.{position}{option}"), wrong));
        });
        built.extend(name.ok().zip(test.ok()));
    }
    built
}

fn named(name: &str) -> Result<Box<str>, String> {
    if name.is_empty() { Err("a name is empty".into()) } else { Ok(name.into()) }
}
