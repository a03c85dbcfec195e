//! Path templates: literal segments and captures, like `/users/{id}/files/{*rest}`.

use std::fmt;
use std::sync::Arc;

use super::{Captures, normalize_path};

/// A path template.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The segments before the rest.
    pub(super) segments: Vec<Segment>,
    /// Name of `{*rest}`, which takes what is left, slashes included.
    pub(super) rest: Option<Arc<str>>,
}

/// One segment of a template.
#[derive(Debug, Clone)]
pub(crate) enum Segment {
    /// Exactly this text.
    Literal(Box<str>),
    /// `{name}`: any text but none.
    Capture(Arc<str>),
}

impl Template {
    /// Reads a template; the error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err("a template begins with `/`".into());
        };
        let mut template = Self { segments: Vec::new(), rest: None };
        for part in path.split('/') {
            if template.rest.is_some() {
                return Err("`{*name}` takes all that is left, so it stands last".into());
            }
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(inner) => template.push_capture(inner)?,
                None => template.segments.push(literal(part)?),
            }
        }
        Ok(template)
    }

    fn push_capture(&mut self, inner: &str) -> Result<(), String> {
        let name = inner.strip_prefix('*').unwrap_or(inner);
        if !is_capture_name(name) {
            return Err(format!("`{{{inner}}}` is not a capture: {CAPTURE_NAME}"));
        }
        if self.names().any(|taken| **taken == *name) {
            return Err(format!("`{name}` is captured twice"));
        }
        if name.len() < inner.len() {
            self.rest = Some(name.into());
        } else {
            self.segments.push(Segment::Capture(name.into()));
        }
        Ok(())
    }

    /// The names of its captures.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let captures = self.segments.iter().filter_map(|segment| match segment {
            Segment::Capture(name) => Some(name),
            Segment::Literal(_) => None,
        });
        captures.chain(&self.rest)
    }

    /// How many of its segments are literal.
    pub(super) fn literals(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    }

    /// The captures in `path`, or nothing where it does not fit.
    pub(super) fn captures(&self, path: &str) -> Option<Captures> {
        let mut captures = Captures::default();
        // Where the next segment's slash stands; nothing follows at the path's end.
        let mut slash = 0;
        for segment in &self.segments {
            let start = slash + path[slash..].strip_prefix('/').map(|_| 1)?;
            let end = path[start..].find('/').map_or(path.len(), |found| start + found);
            match segment {
                Segment::Literal(text) if **text == path[start..end] => {}
                Segment::Capture(name) if start < end => captures.push(name, start, end),
                _ => return None,
            }
            slash = end;
        }
        match &self.rest {
            Some(name) if path[slash..].starts_with('/') => {
                captures.push(name, slash + 1, path.len());
            }
            Some(_) => return None,
            None if slash < path.len() => return None,
            None => {}
        }
        Some(captures)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Capture(name) => write!(f, "/{{{name}}}")?,
            }
        }
        self.rest.iter().try_for_each(|name| write!(f, "/{{*{name}}}"))
    }
}

/// What a capture's name is made of.
pub(crate) const CAPTURE_NAME: &str =
    "expected `{name}`, of letters, digits and `_`, not beginning with a digit";

/// Whether `name` can name a capture; the same names that regexes give their groups.
pub(crate) fn is_capture_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

fn literal(text: &str) -> Result<Segment, String> {
    if text.contains(['{', '}']) {
        return Err(format!(
            "`{text}`: a capture takes a whole segment, like `/{{name}}/`; use `regex` for a part of one"
        ));
    }
    if text == "." || text == ".." {
        return Err("a path has no `.` and `..` segments when it is matched".into());
    }
    let path = format!("/{text}");
    let normal = normalize_path(&path).map_err(|error| error.to_string())?;
    Ok(Segment::Literal(normal[1..].into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn captured(template: &str, path: &str) -> Option<Vec<(String, String)>> {
        let captures = Template::parse(template).unwrap().captures(path)?;
        Some(captures.iter(path).map(|(name, text)| (name.into(), text.into())).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(pairs.iter().map(|&(name, text)| (name.into(), text.into())).collect())
    }

    #[test]
    fn a_capture_takes_one_whole_segment_that_is_not_empty() {
        assert_eq!(captured("/users/{id}", "/users/7"), pairs(&[("id", "7")]));
        assert_eq!(captured("/users/{id}", "/users/"), None);
        assert_eq!(captured("/users/{id}", "/users"), None);
        assert_eq!(captured("/users/{id}", "/users/7/"), None);
        assert_eq!(captured("/users/{id}/", "/users/7/"), pairs(&[("id", "7")]));
        assert_eq!(captured("/users/{id}", "*"), None);
    }

    #[test]
    fn the_rest_takes_all_after_its_slash_even_nothing() {
        let template = "/u/{id}/f/{*rest}";
        assert_eq!(captured(template, "/u/7/f/a/b"), pairs(&[("id", "7"), ("rest", "a/b")]));
        assert_eq!(captured(template, "/u/7/f/"), pairs(&[("id", "7"), ("rest", "")]));
        assert_eq!(captured(template, "/u/7/f"), None);
    }

    #[test]
    fn literals_are_normalized_like_paths() {
        assert_eq!(captured("/%61/caf\u{e9}", "/a/caf%C3%A9"), pairs(&[]));
    }

    #[test]
    fn what_is_not_a_template_is_refused() {
        for text in
            ["", "a", "/{}", "/{1a}", "/v{n}", "/{a}/{a}", "/{*a}/b", "/{a", "/a}", "/..", "/%4"]
        {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
