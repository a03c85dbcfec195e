//! Another path in place of the requested one: what rewrites and redirects have in common.

use std::borrow::Cow;

use super::path_text::PathText;
use super::prefix::PrefixText;
use crate::plan::{Issue, PathMatch};
use crate::route::Found;

/// What takes the place of a path, or of its matched prefix.
#[derive(Debug, Clone)]
pub(super) enum PathChange {
    Prefix(PrefixText),
    Whole(PathText),
}

impl PathChange {
    /// Reads `text`, the option `prefix` of those at `at`, for a route that matches `path_match`.
    pub(super) fn prefix(
        text: &str,
        path_match: Option<&PathMatch>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        PrefixText::build(text, path_match, &format!("{at}.prefix"), issues).map(Self::Prefix)
    }

    /// Reads `text`, the option `path` of those at `at`, for a route that matches `path_match`.
    pub(super) fn whole(
        text: &str,
        path_match: Option<&PathMatch>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        PathText::build(text, path_match, &format!("{at}.path"), issues).map(Self::Whole)
    }

    /// What `path` becomes, which was found as `found`; in its normal form.
    pub(super) fn apply(&self, path: &str, found: &Found) -> Cow<'_, str> {
        match self {
            Self::Prefix(prefix) => Cow::Owned(prefix.replace(path, found.prefix)),
            Self::Whole(text) => text.fill(path, &found.captures),
        }
    }
}
