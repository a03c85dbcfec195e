//! Conditions on a request: method, header fields, query parameters, cookies.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderMap, HeaderName, Method};
use regex::bytes::Regex;

use crate::message::field::cookies;
use crate::plan::{FieldMatch, Issue};
use crate::query::parameters;
use crate::route::anchored::anchored;

/// What a request has to fulfil. Empty lists ask for nothing.
#[derive(Debug)]
pub(crate) struct Conditions {
    methods: Vec<Method>,
    headers: Vec<(HeaderName, Test)>,
    query: Vec<(Box<str>, Test)>,
    cookies: Vec<(Box<str>, Test)>,
}

/// What is looked at in a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// Its method.
    pub(crate) method: &'a Method,
    /// Its query, without `?`.
    pub(crate) query: Option<&'a str>,
    /// Its fields.
    pub(crate) headers: &'a HeaderMap,
}

/// The lists of options that conditions are read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'p> {
    pub(crate) methods: &'p [String],
    pub(crate) headers: &'p [FieldMatch],
    pub(crate) query: &'p [FieldMatch],
    pub(crate) cookies: &'p [FieldMatch],
}

/// A test of a named value. One value that passes is enough where there are several.
#[derive(Debug)]
pub(crate) enum Test {
    Exact(Box<str>),
    Prefix(Box<str>),
    Regex { source: Box<str>, regex: Regex },
    Present(bool),
}

/// The condition that a request does not fulfil.
#[derive(Debug)]
pub(crate) enum Unmet<'a> {
    Method { sent: &'a Method, taken: &'a [Method] },
    Value { kind: &'static str, name: &'a str, test: &'a Test, sent: bool },
}

impl Conditions {
    /// Reads the conditions of the options at `at`.
    pub(crate) fn build(wanted: Wanted<'_>, at: &str, issues: &mut Vec<Issue>) -> Self {
        Self {
            methods: methods(wanted.methods, &format!("{at}.methods"), issues),
            headers: tests(wanted.headers, &format!("{at}.headers"), issues, |name| {
                HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| format!("`{name}` is not the name of a header field"))
            }),
            query: tests(wanted.query, &format!("{at}.query"), issues, named),
            cookies: tests(wanted.cookies, &format!("{at}.cookies"), issues, named),
        }
    }

    /// Whether there is one on the method, and how many there are on header fields, query parameters and cookies.
    pub(crate) fn counts(&self) -> (bool, usize, usize, usize) {
        (!self.methods.is_empty(), self.headers.len(), self.query.len(), self.cookies.len())
    }

    /// The first condition that `request` does not fulfil.
    pub(crate) fn unmet<'a>(&'a self, request: Facts<'a>) -> Option<Unmet<'a>> {
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

    /// The conditions in words.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.methods.is_empty() {
            words.push(format!("method {}", Alternatives(&self.methods)));
        }
        words.extend(self.headers.iter().map(|(name, test)| format!("header {name} {test}")));
        words
            .extend(self.query.iter().map(|(name, test)| format!("query parameter {name} {test}")));
        words.extend(self.cookies.iter().map(|(name, test)| format!("cookie {name} {test}")));
        words
    }
}

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
pub(crate) struct Alternatives<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Alternatives<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
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
