//! Where a redirect leads.

use std::borrow::Cow;

use http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::path_change::PathChange;
use super::path_text::canonical;
use super::target::authority;
use crate::plan::{self, Issue, PathMatch};
use crate::route::Found;
use crate::route::host::without_port;

/// What may not stand in a query as it is (RFC 3986 §3.4). `%` stays: a query is passed on as sent.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What may not stand in an authority: all that could end it and begin something else (§3.2).
const AUTHORITY: &AsciiSet = &QUERY.remove(b'[').remove(b']').add(b'/').add(b'?').add(b'@');

/// Answers with a redirect.
#[derive(Debug, Clone)]
pub struct Redirect {
    status: StatusCode,
    scheme: Option<&'static str>,
    host: Option<String>,
    /// Absent: the requested one.
    path: Option<PathChange>,
    strip_query: bool,
}

/// What was requested, for [`Redirect::location`].
#[derive(Debug, Clone, Copy)]
pub struct Requested<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The authority as sent; absent where none was (HTTP/1.0).
    pub host: Option<&'a str>,
    /// The path as it was routed.
    pub path: &'a str,
    /// The query as sent, without `?`.
    pub query: Option<&'a str>,
}

impl Redirect {
    /// Reads the option `redirect`, which stands at `at` (like `routes.3.redirect`), of a route that
    /// matches `path_match`. Mistakes are added to `issues`; nothing is returned then.
    pub fn build(
        redirect: &plan::Redirect,
        path_match: Option<&PathMatch>,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        let known = issues.len();
        let scheme = redirect.scheme.map(plan::RedirectScheme::label);
        let plan::Redirect { status, scheme: _, host, path, prefix, strip_query } = redirect;
        if scheme.is_none() && host.is_none() && path.is_none() && prefix.is_none() && !strip_query
        {
            let text = "it leads back to itself: give `scheme`, `host`, `path` or `prefix`";
            issues.push(Issue::new(at, text));
        }
        if let Some(host) = host {
            authority(host, &format!("{at}.host"), issues);
        }
        let path = match (path, prefix) {
            (None, None) => Some(None),
            (Some(text), None) => PathChange::whole(text, path_match, at, issues).map(Some),
            (None, Some(text)) => PathChange::prefix(text, path_match, at, issues).map(Some),
            _ => {
                issues.push(Issue::new(at, "expected at most one of `path` and `prefix`"));
                None
            }
        };
        let status = (*status).into();
        let built =
            Self { status, scheme, host: host.clone(), path: path?, strip_query: *strip_query };
        (issues.len() == known).then_some(built)
    }

    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The value of `Location` (RFC 9110 §10.2.2) for what was `requested` and found as `found`: visible ASCII
    /// characters, whatever the request held.
    ///
    /// It is an absolute URI, or the path alone where neither the redirect nor the request names a host. A path
    /// cannot lead to another scheme, so that there is no `Location` then. Where the scheme changes and no host
    /// is given, the port is left out: it was the other scheme's.
    pub fn location(&self, requested: &Requested<'_>, found: &Found) -> Option<String> {
        let Requested { path, query, .. } = *requested;
        let scheme =
            self.scheme.unwrap_or(if requested.scheme == "https" { "https" } else { "http" });
        let stays = scheme == requested.scheme;
        let host = match (&self.host, requested.host) {
            (Some(host), _) => Some(host.as_str()),
            (None, Some(host)) if stays => Some(host),
            (None, Some(host)) => Some(without_port(host)),
            (None, None) if stays => None,
            (None, None) => return None,
        };
        let path = match &self.path {
            _ if !path.starts_with('/') => Cow::Borrowed("/"),
            None => canonical(Cow::Borrowed(path)),
            Some(change) => change.apply(path, found),
        };
        let mut location = match host {
            Some(host) => format!("{scheme}://{}", utf8_percent_encode(host, AUTHORITY)),
            // RFC 3986 §4.2: what begins with `//` would begin with a host.
            None if path.starts_with("//") => "/.".into(),
            None => String::new(),
        };
        location.push_str(&path);
        if let Some(query) = query.filter(|_| !self.strip_query) {
            location.push('?');
            location.extend(utf8_percent_encode(query, QUERY));
        }
        Some(location)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::route::testing::{found, path_match};

    fn build(mut redirect: Value, matches: &Value) -> Result<Redirect, Vec<Issue>> {
        for (option, default) in [("status", json!(301)), ("strip_query", json!(false))] {
            redirect.as_object_mut().unwrap().entry(option).or_insert(default);
        }
        let redirect = serde_json::from_value(redirect).unwrap();
        let mut issues = Vec::new();
        let built = Redirect::build(&redirect, path_match(matches).as_ref(), "r", &mut issues);
        built.ok_or(issues)
    }

    const REQUESTED: Requested<'_> =
        Requested { scheme: "http", host: Some("a.com:8080"), path: "/v1/x", query: Some("q=1") };

    fn location(redirect: Value, matches: Value) -> String {
        let redirect = build(redirect, &matches).unwrap();
        redirect.location(&REQUESTED, &found(&matches, REQUESTED.path)).unwrap()
    }

    #[test]
    fn what_is_not_given_stays_as_requested() {
        let prefix = || json!({"prefix": "/v1"});
        for (redirect, expected) in [
            (json!({"scheme": "https"}), "https://a.com/v1/x?q=1"),
            (json!({"scheme": "http"}), "http://a.com:8080/v1/x?q=1"),
            (json!({"host": "b.com:81"}), "http://b.com:81/v1/x?q=1"),
            (json!({"prefix": "/v2"}), "http://a.com:8080/v2/x?q=1"),
            (json!({"path": "/new", "strip_query": true}), "http://a.com:8080/new"),
        ] {
            assert_eq!(location(redirect, prefix()), expected);
        }
        let template = json!({"template": "/{version}/{*rest}"});
        let expected = "http://a.com:8080/x/in/v1?q=1";
        assert_eq!(location(json!({"path": "/{rest}/in/{version}"}), template), expected);
    }

    #[test]
    fn a_request_without_a_host_is_led_to_a_path_unless_the_scheme_changes() {
        let location = |redirect: Value, path| {
            let requested = Requested { host: None, path, ..REQUESTED };
            let redirect = build(redirect, &json!(null)).unwrap();
            redirect.location(&requested, &found(&json!(null), path))
        };
        let led = |path| location(json!({"strip_query": true}), path);
        assert_eq!(led("/to").unwrap(), "/to");
        assert_eq!(led("//evil.example/x").unwrap(), "/.//evil.example/x");
        assert_eq!(location(json!({"scheme": "https"}), "/to"), None);
        let elsewhere = location(json!({"scheme": "https", "host": "b.com"}), "/to");
        assert_eq!(elsewhere.unwrap(), "https://b.com/to?q=1");
    }

    #[test]
    fn mistakes_are_found_when_it_is_built() {
        for (redirect, at) in [
            (json!({}), "r"),
            (json!({"host": "b\r\nx: y"}), "r.host"),
            (json!({"path": "/a", "prefix": "/b"}), "r"),
            (json!({"path": "/{id}"}), "r.path"),
        ] {
            let issues = build(redirect.clone(), &json!({"prefix": "/v1"})).unwrap_err();
            assert_eq!(issues.len(), 1, "{redirect}: {issues:?}");
            assert_eq!(issues[0].path, at, "{redirect}");
        }
    }

    proptest! {
        #[test]
        fn a_location_is_a_safe_field_value_whatever_was_requested(
            host in ".{0,12}", path in "/.{0,12}", query in ".{0,12}"
        ) {
            let redirect = build(json!({"scheme": "https"}), &json!(null)).unwrap();
            let (host, query) = (Some(&*host), Some(&*query));
            let requested = Requested { scheme: "http", host, path: &path, query };
            let location = redirect.location(&requested, &found(&json!(null), &path)).unwrap();
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{}", location);
            prop_assert!(HeaderValue::from_str(&location).is_ok());
        }
    }
}
