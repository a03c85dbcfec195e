//! A path with `{captures}` to fill in.

use std::borrow::Cow;

use crate::plan::{Issue, PathMatch};
use crate::route::pattern::PathPattern;
use crate::route::template::{CAPTURE_NAME, is_capture_name};
use crate::route::{Captures, normalize_path};

/// A path with `{captures}` to fill in.
#[derive(Debug, Clone)]
pub(super) struct PathText(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Capture(String),
}

impl PathText {
    /// Reads `text`, the option at `at`, for a route that matches `path_match`.
    pub(super) fn build(
        text: &str,
        path_match: Option<&PathMatch>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        let known = known_captures(path_match);
        let checked = plain(text).and_then(|text| parts(text, known.as_deref()));
        let mut parts = checked.map_err(|wrong| issues.push(Issue::new(at, wrong))).ok()?;
        if let [Part::Literal(text)] = parts.as_mut_slice() {
            *text = canonical(Cow::Borrowed(text)).into_owned();
        }
        Some(Self(parts))
    }

    /// The path with `captures`, which were made of `path`; always in its normal form.
    pub(super) fn fill(&self, path: &str, captures: &Captures) -> Cow<'_, str> {
        if let [Part::Literal(text)] = self.0.as_slice() {
            return Cow::Borrowed(text);
        }
        let text = self.0.iter().map(|part| match part {
            Part::Literal(text) => text,
            // A group that took no part in the match is empty.
            Part::Capture(name) => captures.get(name, path).unwrap_or_default(),
        });
        canonical(Cow::Owned(text.collect()))
    }
}

/// `path` as a path that can be sent: absolute and in its normal form, so that a rewrite can make
/// neither a dot segment nor a broken percent-encoding out of parts that were harmless by themselves.
pub(super) fn canonical(path: Cow<'_, str>) -> Cow<'_, str> {
    let path = if path.starts_with('/') { path } else { Cow::Owned(format!("/{path}")) };
    let normal = match normalize_path(&path) {
        Ok(Cow::Borrowed(_)) => None,
        Ok(Cow::Owned(normal)) => Some(normal),
        // Encodings that were cut apart cannot be told from literal `%`.
        Err(_) => {
            Some(normalize_path(&path.replace('%', "%25")).map_or("/".into(), Cow::into_owned))
        }
    };
    normal.map_or(path, Cow::Owned)
}

/// `text`, if it can be a path or the beginning of one.
pub(super) fn plain(text: &str) -> Result<&str, String> {
    if !text.starts_with('/') {
        return Err(format!("`{text}` does not begin with `/`"));
    }
    if text.contains(['?', '#']) {
        return Err(format!(
            "`{text}`: a path has no `?` and no `#`; the query is passed on by itself"
        ));
    }
    normalize_path(text).map_err(|error| format!("`{text}`: {error}"))?;
    Ok(text)
}

/// The captures of a route; nothing where its own condition is wrong, which is an issue of its own.
fn known_captures(path_match: Option<&PathMatch>) -> Option<Vec<String>> {
    let pattern = PathPattern::build(path_match, "", &mut Vec::new())?;
    Some(pattern.capture_names().into_iter().map(str::to_owned).collect())
}

fn parts(text: &str, known: Option<&[String]>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut left = text;
    while let Some(brace) = left.find(['{', '}']) {
        let (literal, rest) = left.split_at(brace);
        let capture = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((name, rest)) = capture.filter(|(name, _)| is_capture_name(name)) else {
            return Err(format!("`{text}` has a brace that is not a capture's: {CAPTURE_NAME}"));
        };
        if let Some(known) = known.filter(|known| !known.iter().any(|own| own == name)) {
            return Err(unknown_capture(name, known));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        parts.push(Part::Capture(name.to_owned()));
        left = rest;
    }
    if !left.is_empty() {
        parts.push(Part::Literal(left.to_owned()));
    }
    Ok(parts)
}

fn unknown_capture(name: &str, known: &[String]) -> String {
    let known = match known {
        [] => "its path captures nothing; use `template`, or `regex` with named groups".to_owned(),
        names => format!("it captures {}", names.join(", ")),
    };
    format!("the route captures no `{name}`: {known}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_put_together_is_made_normal_again() {
        for (text, path) in [
            ("/a/../b", "/b"),
            ("/a/%2e%2e/b", "/b"),
            ("x", "/x"),
            ("", "/"),
            ("/cut%2", "/cut%252"),
            ("/a\r\nb", "/a%0D%0Ab"),
        ] {
            assert_eq!(canonical(Cow::Borrowed(text)), path);
        }
    }

    #[test]
    fn braces_that_are_no_capture_are_refused() {
        for text in ["/{", "/}", "/{}", "/{a", "/{a b}", "/{*rest}", "a", "/a?b=1", "/%4", "/{a}%"]
        {
            let mut issues = Vec::new();
            assert!(PathText::build(text, None, "p", &mut issues).is_none(), "{text}");
            assert_eq!(issues.len(), 1);
        }
    }

    proptest! {
        #[test]
        fn every_text_becomes_a_path_that_can_be_sent(text in ".{0,24}") {
            let path = canonical(Cow::Owned(text));
            prop_assert!(matches!(normalize_path(&path), Ok(Cow::Borrowed(_))));
        }
    }
}
