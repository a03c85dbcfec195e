//! Conditions beyond host and path: on the listener, and on the request itself.

use std::cmp::Reverse;
use std::fmt;

use super::RouteQuery;
use crate::condition::{self, Alternatives, Facts, Wanted};
use crate::plan::{Issue, Route};

/// What a request has to fulfil beside host and path.
#[derive(Debug)]
pub(super) struct Conditions {
    /// Empty: any.
    listeners: Vec<usize>,
    request: condition::Conditions,
}

/// The condition that a request does not fulfil.
#[derive(Debug)]
pub(super) enum Unmet<'a> {
    Listener,
    Request(condition::Unmet<'a>),
}

/// Methods, header fields, query parameters, cookies, listeners.
pub(super) type Precedence =
    (Reverse<bool>, Reverse<usize>, Reverse<usize>, Reverse<usize>, Reverse<bool>);

impl Conditions {
    /// Reads the conditions of `route`, whose option stands at `at`; none if it asks for nothing.
    pub(super) fn build(
        route: &Route,
        listeners: &[&str],
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Box<Self>> {
        let matches = &route.matches;
        let wanted = Wanted {
            methods: &matches.methods,
            headers: &matches.headers,
            query: &matches.query,
            cookies: &matches.cookies,
        };
        let built = Self {
            listeners: positions(&route.listeners, listeners, at, issues),
            request: condition::Conditions::build(wanted, &format!("{at}.match"), issues),
        };
        (built.precedence() != Self::NONE).then(|| Box::new(built))
    }

    /// The place of a route without conditions in the order of precedence.
    pub(super) const NONE: Precedence =
        (Reverse(false), Reverse(0), Reverse(0), Reverse(0), Reverse(false));

    /// Its place in the order of precedence: the more it asks for, the earlier.
    pub(super) fn precedence(&self) -> Precedence {
        let (methods, headers, query, cookies) = self.request.counts();
        (
            Reverse(methods),
            Reverse(headers),
            Reverse(query),
            Reverse(cookies),
            Reverse(!self.listeners.is_empty()),
        )
    }

    /// The first condition that `request` does not fulfil.
    pub(super) fn unmet<'a>(&'a self, request: &RouteQuery<'a>) -> Option<Unmet<'a>> {
        if !self.listeners.is_empty() && !self.listeners.contains(&request.listener) {
            return Some(Unmet::Listener);
        }
        let RouteQuery { method, query, headers, .. } = *request;
        self.request.unmet(Facts { method, query, headers }).map(Unmet::Request)
    }

    /// The conditions in words, with `listeners` by name.
    pub(super) fn describe(&self, listeners: &[Box<str>]) -> Vec<String> {
        let mut words = self.request.describe();
        let names: Vec<_> = self.listeners.iter().filter_map(|&at| listeners.get(at)).collect();
        if !names.is_empty() {
            words.push(format!("listener {}", Alternatives(&names)));
        }
        words
    }
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener => f.write_str("it does not serve this listener"),
            Self::Request(unmet) => unmet.fmt(f),
        }
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
