//! Another prefix in place of the matched one.

use super::path_text::{canonical, plain};
use crate::plan::{Issue, PathMatch};

/// What takes the place of a matched prefix.
#[derive(Debug, Clone)]
pub(super) struct PrefixText(String);

impl PrefixText {
    /// Reads `text`, the option at `at`, for a route that matches `path_match`.
    pub(super) fn build(
        text: &str,
        path_match: Option<&PathMatch>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        if path_match.is_some_and(|path_match| path_match.prefix.is_none()) {
            let wrong = "there is no matched prefix to replace: the route does not match by \
                         `path.prefix`; give the whole `path` instead";
            issues.push(Issue::new(at, wrong));
            return None;
        }
        match plain(text) {
            Ok(text) => Some(Self(canonical(text.into()).into_owned())),
            Err(wrong) => {
                issues.push(Issue::new(at, wrong));
                None
            }
        }
    }

    /// `path` with this in place of its first `matched` bytes, and one slash at the joint.
    pub(super) fn replace(&self, path: &str, matched: usize) -> String {
        let rest = path.get(matched..).unwrap_or_default();
        if rest.is_empty() {
            return self.0.clone();
        }
        let prefix = self.0.trim_end_matches('/');
        [prefix, "/", rest.trim_start_matches('/')].concat()
    }
}
