//! The target that a request has upstream.

use std::borrow::Cow;

use http::HeaderValue;
use regex::Regex;

use super::path_change::PathChange;
use super::path_text::canonical;
use crate::message::authority::names_host;
use crate::plan::{self, Issue, PathMatch};
use crate::route::Found;
use crate::route::anchored;

/// Changes of a request's target before it is sent upstream.
#[derive(Debug, Clone)]
pub struct Target {
    path: Change,
    host: Option<HeaderValue>,
}

#[derive(Debug, Clone)]
enum Change {
    None,
    Path(PathChange),
    Regex { pattern: Regex, replacement: String },
}

impl Target {
    /// Reads the option `rewrite`, which stands at `at` (like `routes.3.rewrite`), of a route that
    /// matches `path_match`. Mistakes are added to `issues`; nothing is returned then.
    pub fn build(
        rewrite: &plan::Rewrite,
        path_match: Option<&PathMatch>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        let host = match &rewrite.host {
            Some(host) => authority(host, &format!("{at}.host"), issues).map(Some),
            None => Some(None),
        };
        let path = Change::build(rewrite, path_match, at, issues);
        Some(Self { path: path?, host: host? })
    }

    /// The path to send for a request for `path`, which was found as `found`; in its normal form.
    pub fn path<'a>(&'a self, path: &'a str, found: &Found) -> Cow<'a, str> {
        if !path.starts_with('/') {
            return Cow::Borrowed(path);
        }
        match &self.path {
            Change::None => Cow::Borrowed(path),
            Change::Path(change) => change.apply(path, found),
            Change::Regex { pattern, replacement } => {
                canonical(pattern.replace_all(path, replacement.as_str()))
            }
        }
    }

    /// The `Host` to send; nothing: the client's.
    pub fn host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }
}

impl Change {
    fn build(
        rewrite: &plan::Rewrite,
        path_match: Option<&PathMatch>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        match (&rewrite.prefix, &rewrite.path, &rewrite.regex) {
            (None, None, None) => Some(Self::None),
            (Some(text), None, None) => {
                PathChange::prefix(text, path_match, at, issues).map(Self::Path)
            }
            (None, Some(text), None) => {
                PathChange::whole(text, path_match, at, issues).map(Self::Path)
            }
            (None, None, Some(regex)) => Self::regex(regex)
                .map_err(|(option, wrong)| {
                    issues.push(Issue::new(format!("{at}.regex.{option}"), wrong))
                })
                .ok(),
            _ => {
                let wrong = "expected at most one of `prefix`, `path` and `regex`";
                issues.push(Issue::new(at, wrong));
                None
            }
        }
    }

    fn regex(rewrite: &plan::RegexRewrite) -> Result<Self, (&'static str, String)> {
        regex_syntax::parse(&rewrite.pattern)
            .map_err(|error| ("pattern", anchored::explain(&error)))?;
        let pattern =
            Regex::new(&rewrite.pattern).map_err(|error| ("pattern", error.to_string()))?;
        check_groups(&rewrite.replacement, &pattern).map_err(|wrong| ("replacement", wrong))?;
        Ok(Self::Regex { pattern, replacement: rewrite.replacement.clone() })
    }
}

/// Refuses a replacement that names a group which `pattern` does not have: it would stand for nothing.
fn check_groups(replacement: &str, pattern: &Regex) -> Result<(), String> {
    let known = |name: &str| match name.parse::<usize>() {
        Ok(number) => number < pattern.captures_len(),
        Err(_) => pattern.capture_names().flatten().any(|own| own == name),
    };
    let mut left = replacement;
    while let Some((_, rest)) = left.split_once('$') {
        if let Some(rest) = rest.strip_prefix('$') {
            left = rest;
            continue;
        }
        let (name, after) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(braced) => braced,
            None => {
                let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                rest.split_at(rest.bytes().take_while(|byte| word(byte)).count())
            }
        };
        if !known(name) {
            return Err(format!(
                "the pattern has no group `{name}`; write `${{1}}x` for group 1 before a letter, `$$` for a `$`"
            ));
        }
        left = after;
    }
    Ok(())
}

/// Reads a host, with its port where it has one.
pub(super) fn authority(text: &str, at: &str, issues: &mut Vec<Issue>) -> Option<HeaderValue> {
    let is_whole = names_host(text.as_bytes()) && !text.ends_with(':');
    let value = HeaderValue::from_str(text).ok().filter(|_| is_whole);
    if value.is_none() {
        let wrong = format!("`{text}` is not a host, with or without port");
        issues.push(Issue::new(at, wrong));
    }
    value
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::route::testing::{found, path_match};

    fn build(rewrite: Value, matches: &Value) -> Result<Target, Vec<Issue>> {
        let rewrite = serde_json::from_value(rewrite).unwrap();
        let mut issues = Vec::new();
        let target = Target::build(&rewrite, path_match(matches).as_ref(), "r", &mut issues);
        target.ok_or(issues)
    }

    fn path(rewrite: Value, matches: Value, path: &str) -> String {
        let target = build(rewrite, &matches).unwrap();
        target.path(path, &found(&matches, path)).into_owned()
    }

    #[test]
    fn a_prefix_is_replaced_with_one_slash_at_the_joint() {
        for (matched, prefix, sent, expected) in [
            ("/v1", "/", "/v1", "/"),
            ("/v1", "/", "/v1/", "/"),
            ("/v1", "/", "/v1/x", "/x"),
            ("/v1/", "/", "/v1/x", "/x"),
            ("/v1/", "/", "/v1", "/"),
            ("/v1", "/", "/v1//etc", "/etc"),
            ("/v1", "/api", "/v1", "/api"),
            ("/v1", "/api", "/v1/", "/api/"),
            ("/v1/", "/api/", "/v1/x", "/api/x"),
            ("/v1", "/api/", "/v1", "/api/"),
            ("/", "/api", "/x", "/api/x"),
            ("/", "/api", "*", "*"),
        ] {
            let rewritten = path(json!({"prefix": prefix}), json!({"prefix": matched}), sent);
            assert_eq!(rewritten, expected, "{matched} -> {prefix}: {sent}");
        }
    }

    #[test]
    fn a_whole_path_is_filled_with_captures() {
        let template = json!({"template": "/users/{id}/files/{*rest}"});
        let rewrite = json!({"path": "/f/{rest}/of/{id}"});
        assert_eq!(path(rewrite, template, "/users/7/files/a/b"), "/f/a/b/of/7");
        let regex = json!({"regex": "/(?<year>\\d{4})(?<rest>/.*)?"});
        assert_eq!(path(json!({"path": "/y{year}{rest}"}), regex, "/2024"), "/y2024");
    }

    #[test]
    fn captures_cannot_make_a_dot_segment() {
        let regex = json!({"regex": "/x(?<a>[^/]*)y/(?<b>.*)"});
        assert_eq!(path(json!({"path": "/in/{a}/{b}"}), regex, "/x..y/etc"), "/etc");
        let regex = json!({"regex": {"pattern": "-", "replacement": "/"}});
        assert_eq!(path(regex, json!({"prefix": "/"}), "/a-..-b"), "/b");
    }

    #[test]
    fn every_match_of_a_pattern_is_replaced() {
        let regex = json!({"regex": {"pattern": "/v(\\d)", "replacement": "/version-${1}"}});
        assert_eq!(path(regex, json!({"prefix": "/"}), "/v1/x/v2"), "/version-1/x/version-2");
    }

    #[test]
    fn mistakes_are_found_when_it_is_built() {
        let prefix = json!({"prefix": "/a"});
        for (rewrite, matches, at) in [
            (json!({"path": "/{id}"}), &prefix, "r.path"),
            (json!({"path": "/{id}"}), &json!({"template": "/{name}"}), "r.path"),
            (json!({"path": "x"}), &prefix, "r.path"),
            (json!({"prefix": "x"}), &prefix, "r.prefix"),
            (json!({"prefix": "/"}), &json!({"exact": "/a"}), "r.prefix"),
            (json!({"prefix": "/", "path": "/"}), &prefix, "r"),
            (json!({"regex": {"pattern": "(", "replacement": ""}}), &prefix, "r.regex.pattern"),
            (
                json!({"regex": {"pattern": "(a)", "replacement": "$1x"}}),
                &prefix,
                "r.regex.replacement",
            ),
            (
                json!({"regex": {"pattern": "(a)", "replacement": "$2"}}),
                &prefix,
                "r.regex.replacement",
            ),
            (json!({"host": "a b"}), &prefix, "r.host"),
            (json!({"host": "a:"}), &prefix, "r.host"),
            (json!({"host": "u@a"}), &prefix, "r.host"),
        ] {
            let issues = build(rewrite.clone(), matches).unwrap_err();
            assert_eq!(issues.len(), 1, "{rewrite}: {issues:?}");
            assert_eq!(issues[0].path, at, "{rewrite}");
        }
    }

    #[test]
    fn a_wrong_route_is_not_blamed_twice() {
        let rewrite = serde_json::from_value(json!({"path": "/{id}"})).unwrap();
        let matches = path_match(&json!({"template": "/{"}));
        let mut issues = Vec::new();
        Target::build(&rewrite, matches.as_ref(), "r", &mut issues);
        assert_eq!(issues, []);
    }

    #[test]
    fn the_host_is_changed_when_one_is_given() {
        let target = build(json!({"host": "app.internal:8080"}), &json!(null)).unwrap();
        assert_eq!(target.host().unwrap(), "app.internal:8080");
        assert_eq!(build(json!({}), &json!(null)).unwrap().host(), None);
    }
}
