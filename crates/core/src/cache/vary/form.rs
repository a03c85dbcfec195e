//! The form in which a field is compared that `Vary` names.

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, COOKIE};
use http::{HeaderMap, HeaderName};

use super::VaryRule;
use super::preferences::{codings, has_usual_coding, languages};
use super::value::{END, Value};
use crate::message::field::members;
use crate::plan::VaryComparison;

/// The form in which a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Line by line.
    Exact,
    /// Its lines as one list (RFC 9110 §5.3), without blanks around members.
    List,
    /// The lines of a cookie string (RFC 9113 §8.2.3); commas are part of it.
    Cookies,
    /// Which codings are taken.
    Codings {
        /// Whether others than `br`, `gzip` and `zstd` count: those matter only to a response in one of them.
        all: bool,
    },
    /// Which languages, the best first.
    Languages,
}

impl Form {
    /// That of a field by which a `response` is selected.
    pub(super) fn of(name: &HeaderName, rule: &VaryRule, response: &HeaderMap) -> Self {
        match *name {
            _ if rule.comparison == VaryComparison::Exact => Self::Exact,
            ACCEPT_ENCODING => Self::Codings { all: !has_usual_coding(response) },
            ACCEPT_LANGUAGE => Self::Languages,
            COOKIE => Self::Cookies,
            _ => Self::List,
        }
    }

    /// The value that the fields `name` of a `request` have together; `None` where it has none.
    pub(super) fn value(self, name: &HeaderName, request: &HeaderMap) -> Option<Value> {
        let mut lines = request.get_all(name).iter().map(|value| value.as_bytes()).peekable();
        lines.peek()?;
        Some(match self {
            Self::Exact => joined(lines, &[END]),
            Self::Cookies => joined(lines, b"; "),
            Self::List => list(lines),
            // What cannot be read is compared as any other list.
            Self::Codings { all } => {
                let list = list(lines);
                codings(&list, all).unwrap_or(list)
            }
            Self::Languages => {
                let list = list(lines);
                languages(&list).unwrap_or(list)
            }
        })
    }
}

fn joined<'a>(lines: impl Iterator<Item = &'a [u8]>, between: &[u8]) -> Value {
    let mut all = Value::new();
    for (index, line) in lines.enumerate() {
        if index > 0 {
            all.extend_from_slice(between);
        }
        all.extend_from_slice(line);
    }
    all
}

fn list<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Value {
    let whole = joined(lines, b",");
    let mut all = Value::new();
    for (index, member) in members(&whole).enumerate() {
        if index > 0 {
            all.push(b',');
        }
        all.extend_from_slice(member);
    }
    all
}
