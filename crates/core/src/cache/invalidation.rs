//! What a request that changes something makes invalid (RFC 9111 §4.4).

use std::borrow::Cow;

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, Method, StatusCode};

use super::key::Url;
use crate::message::authority;
use crate::route::normalize_path;

/// Methods of WebDAV that change nothing (RFC 3253 §3.6, RFC 4918 §9.1, RFC 5323 §2).
const SAFE: [&str; 3] = ["PROPFIND", "REPORT", "SEARCH"];

/// Whether a response of this `status` to this `method` makes invalid what is stored for the URL. Methods that are not
/// known may change something.
pub fn invalidates(method: &Method, status: StatusCode) -> bool {
    let is_safe = method.is_safe() || SAFE.contains(&method.as_str());
    !is_safe && (status.is_success() || status.is_redirection())
}

/// The paths and queries that a `response` names as changed beside its own URL `url`. Those of other origins are not
/// its to make invalid.
pub fn places<'a>(
    url: &Url<'a>,
    response: &'a HeaderMap,
) -> impl Iterator<Item = (Cow<'a, str>, Option<&'a str>)> {
    let url = *url;
    let lines = [LOCATION, CONTENT_LOCATION].map(|name| response.get_all(name));
    let references = lines.into_iter().flatten().filter_map(|line| line.to_str().ok());
    references.filter_map(move |reference| resolve(&url, reference))
}

/// The path and the query that a reference names on the origin of `base` (RFC 3986 §5.2), in their normal form.
fn resolve<'a>(base: &Url<'a>, reference: &'a str) -> Option<(Cow<'a, str>, Option<&'a str>)> {
    let reference = reference.split('#').next().unwrap_or_default();
    let reference = of_scheme(reference, base.scheme)?;
    let (place, query) = match reference.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (reference, None),
    };
    if let Some(rest) = place.strip_prefix("//") {
        let end = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let is_own = authority::is_same(host.as_bytes(), base.host.as_bytes(), base.scheme);
        let path = if path.is_empty() { "/" } else { path };
        return Some((normalize_path(path).ok().filter(|_| is_own)?, query));
    }
    if place.is_empty() {
        return Some((base.path.into(), query.or(base.query)));
    }
    if place.starts_with('/') {
        return Some((normalize_path(place).ok()?, query));
    }
    let (folder, _) = base.path.rsplit_once('/')?;
    let path = normalize_path(&format!("{folder}/{place}")).ok()?.into_owned();
    Some((path.into(), query))
}

/// What follows the scheme; `None` where it is another one, or one that no host follows.
fn of_scheme<'a>(reference: &'a str, scheme: &str) -> Option<&'a str> {
    let end = reference.find([':', '/', '?']).unwrap_or(reference.len());
    match reference[end..].strip_prefix(':') {
        Some(rest) => {
            let is_own = reference[..end].eq_ignore_ascii_case(scheme) && rest.starts_with("//");
            is_own.then_some(rest)
        }
        None => Some(reference),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const BASE: Url<'_> =
        Url { scheme: "https", host: "shop.example", path: "/a/b", query: Some("c=1") };

    fn method(name: &str) -> Method {
        Method::from_bytes(name.as_bytes()).unwrap()
    }

    fn named(name: http::HeaderName, reference: &str) -> Vec<(String, Option<String>)> {
        let mut response = HeaderMap::new();
        response.append(name, HeaderValue::from_str(reference).unwrap());
        let places = places(&BASE, &response);
        places.map(|(path, query)| (path.into_owned(), query.map(str::to_owned))).collect()
    }

    #[test]
    fn methods_that_may_change_something_invalidate_and_failures_do_not() {
        for name in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get", "PROPPATCH"] {
            for (status, invalid) in [
                (200, true),
                (204, true),
                (301, true),
                (304, true),
                (404, false),
                (500, false),
                (199, false),
            ] {
                let status = StatusCode::from_u16(status).unwrap();
                assert_eq!(invalidates(&method(name), status), invalid, "{name} {status}");
            }
        }
        for name in ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH"] {
            assert!(!invalidates(&method(name), StatusCode::OK), "{name}");
        }
    }

    #[test]
    fn places_of_the_same_origin_are_named_by_either_field() {
        for name in [LOCATION, CONTENT_LOCATION] {
            for (reference, path, query) in [
                ("https://shop.example/x?y", "/x", Some("y")),
                ("HTTPS://Shop.Example:443/x", "/x", None),
                ("https://shop.example", "/", None),
                ("https://shop.example?y", "/", Some("y")),
                ("//shop.example/x", "/x", None),
                ("/x?y#z", "/x", Some("y")),
                ("/x/%7e/../y", "/x/y", None),
                ("x", "/a/x", None),
                ("./x:y", "/a/x:y", None),
                ("../../../x", "/x", None),
                ("x/", "/a/x/", None),
                ("..", "/", None),
                ("?y", "/a/b", Some("y")),
                ("", "/a/b", Some("c=1")),
                ("#z", "/a/b", Some("c=1")),
            ] {
                let wanted = (path.to_owned(), query.map(str::to_owned));
                assert_eq!(named(name.clone(), reference), [wanted], "{reference}");
            }
        }
    }

    #[test]
    fn places_of_other_origins_are_not_named() {
        for reference in [
            "http://shop.example/x",
            "https://shop.example:8443/x",
            "https://other.example/x",
            "https://user@shop.example/x",
            "//other.example/x",
            "https:/x",
            "https:x",
            "x:y",
            "mailto:a@shop.example",
            "/%zz",
        ] {
            assert_eq!(named(LOCATION, reference), [], "{reference}");
        }
    }

    #[test]
    fn all_fields_name_places() {
        let mut response = HeaderMap::new();
        response.append(CONTENT_LOCATION, HeaderValue::from_static("/c"));
        response.append(LOCATION, HeaderValue::from_static("/l"));
        response.append(LOCATION, HeaderValue::from_static("/m"));
        let paths: Vec<_> = places(&BASE, &response).map(|(path, _)| path).collect();
        assert_eq!(paths, ["/l", "/m", "/c"]);
    }

    proptest! {
        #[test]
        fn any_reference_is_read_and_paths_are_normal(reference in "[a-z:/?#%.2e@\\\\ ]{0,16}") {
            if let Some((path, _)) = resolve(&BASE, &reference) {
                prop_assert!(normalize_path(&path).is_ok_and(|normal| normal == path));
            }
        }
    }
}
