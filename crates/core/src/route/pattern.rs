//! A route's condition on the path.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use regex::Regex;

use super::anchored::{anchored, literal_prefix};
use super::template::{Segment, Template};
use super::{Captures, normalize_path};
use crate::plan::{Issue, PathMatch};

/// A route's condition on the path. Paths are compared in their normal form.
#[derive(Debug)]
pub(crate) enum PathPattern {
    /// This path.
    Exact(Box<str>),
    /// Segments with captures.
    Template(Template),
    /// A regular expression for the whole path.
    Regex(RegexPattern),
    /// This path, kept without its last slash, and all below it; empty: every path, `*` too.
    Prefix(Box<str>),
}

/// A regular expression for the whole path.
#[derive(Debug)]
pub(crate) struct RegexPattern {
    /// As the operator wrote it.
    source: Box<str>,
    pub(super) regex: Regex,
    /// The whole segments that every match begins with, like `/api/v1`.
    pub(super) base: Box<str>,
    /// Named groups by their number.
    names: Vec<(usize, Arc<str>)>,
}

/// Orders patterns, the most specific first; the variants stand in order of precedence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathRank {
    Exact,
    Template {
        literals: Reverse<usize>,
        segments: Reverse<usize>,
        has_rest: bool,
        /// Which segments are captures: of two templates the one whose literals come earlier is first.
        captures: Vec<bool>,
    },
    Regex {
        base_segments: Reverse<usize>,
    },
    Prefix {
        length: Reverse<usize>,
    },
}

impl PathPattern {
    /// Reads the condition `path_match`, whose option stands at `at`; none takes every path.
    pub(crate) fn build(
        path_match: Option<&PathMatch>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        let Some(PathMatch { exact, prefix, regex, template }) = path_match else {
            return Some(Self::Prefix("".into()));
        };
        let (kind, built) = match (exact, prefix, regex, template) {
            (Some(text), None, None, None) => ("exact", plain_path(text).map(Self::Exact)),
            (None, Some(text), None, None) => ("prefix", plain_path(text).map(Self::prefix)),
            (None, None, Some(text), None) => ("regex", RegexPattern::parse(text).map(Self::Regex)),
            (None, None, None, Some(text)) => {
                ("template", Template::parse(text).map(Self::Template))
            }
            _ => {
                let wanted = "expected exactly one of `exact`, `prefix`, `regex` and `template`";
                issues.push(Issue::new(at, wanted));
                return None;
            }
        };
        built.map_err(|wrong| issues.push(Issue::new(format!("{at}.{kind}"), wrong))).ok()
    }

    fn prefix(path: Box<str>) -> Self {
        Self::Prefix(path.strip_suffix('/').unwrap_or(&path).into())
    }

    /// Whether it takes `path`.
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Template(template) => template.captures(path).is_some(),
            Self::Regex(pattern) => pattern.regex.is_match(path),
            Self::Prefix(prefix) if prefix.is_empty() => true,
            Self::Prefix(prefix) => path
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }

    /// The captures in `path`, which matches.
    pub(super) fn captures(&self, path: &str) -> Captures {
        match self {
            Self::Template(template) => template.captures(path).unwrap_or_default(),
            Self::Regex(pattern) => pattern.captures(path),
            Self::Exact(_) | Self::Prefix(_) => Captures::default(),
        }
    }

    /// The names that its captures have.
    pub(crate) fn capture_names(&self) -> Vec<&str> {
        match self {
            Self::Template(template) => template.names().map(|name| &**name).collect(),
            Self::Regex(pattern) => pattern.names.iter().map(|(_, name)| &**name).collect(),
            Self::Exact(_) | Self::Prefix(_) => Vec::new(),
        }
    }

    /// How many bytes of a path are the matched prefix; 0 for all but prefixes.
    pub(super) fn prefix_len(&self) -> usize {
        if let Self::Prefix(prefix) = self { prefix.len() } else { 0 }
    }

    /// Its place in the order of precedence.
    pub(super) fn rank(&self) -> PathRank {
        match self {
            Self::Exact(_) => PathRank::Exact,
            Self::Template(template) => PathRank::Template {
                literals: Reverse(template.literals()),
                segments: Reverse(template.segments.len()),
                has_rest: template.rest.is_some(),
                captures: template
                    .segments
                    .iter()
                    .map(|segment| matches!(segment, Segment::Capture(_)))
                    .collect(),
            },
            Self::Regex(pattern) => {
                PathRank::Regex { base_segments: Reverse(pattern.base.matches('/').count()) }
            }
            Self::Prefix(prefix) => PathRank::Prefix { length: Reverse(prefix.len()) },
        }
    }

    /// Why it does not take `path`.
    pub(super) fn refusal(&self, path: &str) -> String {
        match self {
            Self::Exact(exact) => format!("path {path} is not {exact}"),
            Self::Template(template) => format!("path {path} does not fit template {template}"),
            Self::Regex(pattern) => format!("path {path} does not match {}", pattern.source),
            Self::Prefix(prefix) => format!("path {path} is not under prefix {prefix}"),
        }
    }

    /// How many bytes `path` and the pattern have in common at their beginning.
    pub(super) fn resemblance(&self, path: &str) -> usize {
        let template;
        let text = match self {
            Self::Exact(text) | Self::Prefix(text) => &**text,
            Self::Regex(pattern) => &*pattern.base,
            Self::Template(pattern) => {
                template = pattern.to_string();
                &template
            }
        };
        text.bytes().zip(path.bytes()).take_while(|(ours, theirs)| ours == theirs).count()
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "= {path}"),
            Self::Template(template) => write!(f, "{template}"),
            Self::Regex(pattern) => write!(f, "~ {}", pattern.source),
            Self::Prefix(path) => write!(f, "{path}/*"),
        }
    }
}

impl RegexPattern {
    fn parse(source: &str) -> Result<Self, String> {
        let (whole, hir) = anchored(source)?;
        let regex = Regex::new(&whole).map_err(|error| error.to_string())?;
        let prefix = literal_prefix(&hir);
        let base = prefix.rfind('/').map_or("", |slash| &prefix[..slash]);
        let names = regex
            .capture_names()
            .enumerate()
            .filter_map(|(group, name)| Some((group, name?.into())))
            .collect();
        Ok(Self {
            source: source.into(),
            base: if base.starts_with('/') { base.into() } else { "".into() },
            names,
            regex,
        })
    }

    fn captures(&self, path: &str) -> Captures {
        let mut captures = Captures::default();
        if self.names.is_empty() {
            return captures;
        }
        if let Some(groups) = self.regex.captures(path) {
            for (group, name) in &self.names {
                if let Some(found) = groups.get(*group) {
                    captures.push(name, found.start(), found.end());
                }
            }
        }
        captures
    }
}

fn plain_path(text: &str) -> Result<Box<str>, String> {
    if text.contains(['?', '#']) {
        return Err(format!("`{text}`: a path has no `?` and no `#`; use `query` for parameters"));
    }
    if !text.starts_with('/') {
        return Err(format!("`{text}` does not begin with `/`"));
    }
    let normal = normalize_path(text).map_err(|error| format!("`{text}`: {error}"))?;
    Ok((*normal).into())
}
