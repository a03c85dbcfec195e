//! What of a query counts.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::keep;
use crate::plan::{self, Issue};
use crate::query::decoded_name;

/// Which parameters of a query count, and whether their order does.
#[derive(Debug)]
pub(super) struct Query {
    which: Which,
    sorted: bool,
}

#[derive(Debug)]
enum Which {
    All,
    Only(Box<[Names]>),
    AllBut(Box<[Names]>),
}

impl Query {
    pub(super) fn build(wanted: &plan::CacheKeyQuery, at: &str, issues: &mut Vec<Issue>) -> Self {
        let which = match (&wanted.allow, &wanted.deny) {
            (None, None) => Which::All,
            (Some(allow), None) => {
                Which::Only(keep(allow, &format!("{at}.allow"), issues, Names::read))
            }
            (None, Some(deny)) => {
                Which::AllBut(keep(deny, &format!("{at}.deny"), issues, Names::read))
            }
            (Some(_), Some(_)) => {
                issues.push(Issue::new(at, "give `allow` or `deny`, not both"));
                Which::All
            }
        };
        Self { which, sorted: wanted.sort }
    }

    /// What counts of a query; `None` where nothing does.
    pub(super) fn counted<'q>(&self, query: &'q str) -> Option<Cow<'q, str>> {
        if let (Which::All, false) = (&self.which, self.sorted) {
            return Some(query.into());
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| (decoded_name(pair), pair));
        let mut pairs: SmallVec<[_; 16]> = pairs.filter(|(_, pair)| self.counts(pair)).collect();
        if self.sorted {
            // By name alone, and as origins read it: which value of a name is the first stays.
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        let pairs: SmallVec<[_; 16]> = pairs.iter().map(|(_, pair)| *pair).collect();
        (!pairs.is_empty()).then(|| pairs.join("&").into())
    }

    /// Some origins take a `;` for another `&`, so what counts must not hide behind one in what does not.
    fn counts(&self, pair: &str) -> bool {
        pair.split(';').any(|part| self.counts_name(&decoded_name(part)))
    }

    fn counts_name(&self, name: &[u8]) -> bool {
        let among = |names: &[Names]| names.iter().any(|names| names.have(name));
        match &self.which {
            Which::All => true,
            Which::Only(names) => among(names),
            Which::AllBut(names) => !among(names),
        }
    }
}

/// A name, or all that begin with it.
#[derive(Debug)]
enum Names {
    One(Box<str>),
    Beginning(Box<str>),
}

impl Names {
    fn read(text: &str) -> Result<Self, String> {
        let (name, are_more) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (text, false),
        };
        if name.contains('*') {
            return Err(format!("`{text}` has a `*` that is not at its end"));
        }
        Ok(if are_more { Self::Beginning(name.into()) } else { Self::One(name.into()) })
    }

    fn have(&self, name: &[u8]) -> bool {
        match self {
            Self::One(own) => own.as_bytes() == name,
            Self::Beginning(own) => name.starts_with(own.as_bytes()),
        }
    }
}
