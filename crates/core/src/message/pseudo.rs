//! Heads of the versions that have pseudo-header fields and frames (RFC 9113 §8.3, RFC 9114 §4.3): HTTP/2, and those
//! after it.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderValue};
use http::{Method, request};

use super::alt_svc::AltSvc;
use super::authority::{is_same, names_host};
use super::head_fields::HeadFields;
use super::head_rules::{HeadRules, MOST_RESPONSE_FIELDS};
use super::{Malformed, target};
use crate::websocket::is_websocket;

/// Bring a request's head, with its pseudo-header fields as its URI, into the form that all versions have: `Host`
/// names the host, the target is a path, cookies are one field. Returns whether the client waits for
/// `100 Continue`; `ends` says that no content follows.
///
/// # Errors
/// What it breaks.
pub fn request(
    head: &mut request::Parts,
    ends: bool,
    rules: HeadRules<'_>,
) -> Result<bool, Malformed> {
    let mut fields = HeadFields::of_request(rules.taken_off);
    for (name, value) in &head.headers {
        fields.see(name, value.as_bytes())?;
    }
    if ends && fields.content_length().is_some_and(|length| length > 0) {
        return Err(Malformed::Syntax);
    }
    fields.settle(&mut head.headers);
    settle_host(head, fields.hosts())?;
    if fields.cookies() > 1 {
        join_cookies(&mut head.headers);
    }
    if head.headers.len() > rules.limits.fields {
        return Err(Malformed::HeaderTooLarge);
    }
    settle_target(head, rules.limits.target)?;
    Ok(fields.expects_continue())
}

/// Make of an extended CONNECT for WebSocket the upgrade that it stands for (RFC 8441 §5); any other is left for its method
/// to be refused. Returns whether it is one.
///
/// # Errors
/// What it breaks.
pub fn upgrade(head: &mut request::Parts, protocol: &[u8]) -> Result<bool, Malformed> {
    if !is_websocket(protocol) {
        return Ok(false);
    }
    // RFC 9110 §9.3.6: a CONNECT has no content, which a length would make of what follows.
    if head.headers.contains_key(CONTENT_LENGTH) {
        return Err(Malformed::Syntax);
    }
    head.method = Method::GET;
    Ok(true)
}

/// Check a response's fields and bring them into the form that all versions have. Returns what it says of HTTP/3.
///
/// # Errors
/// What they break.
pub fn response(headers: &mut HeaderMap) -> Result<Option<AltSvc>, Malformed> {
    if headers.len() > MOST_RESPONSE_FIELDS {
        return Err(Malformed::HeaderTooLarge);
    }
    let mut fields = HeadFields::of_response();
    for (name, value) in &*headers {
        fields.see(name, value.as_bytes())?;
    }
    fields.settle(headers);
    Ok(fields.alt_svc())
}

/// RFC 9113 §8.3.1: `:authority` is the host; a `Host` beside it is the same one, or takes its place.
fn settle_host(head: &mut request::Parts, hosts: u32) -> Result<(), Malformed> {
    let own = head.headers.get(HOST).filter(|_| hosts == 1).map(HeaderValue::as_bytes);
    let authority = head.uri.authority().map(|authority| authority.as_str());
    let scheme = head.uri.scheme_str().unwrap_or("http");
    let is_one = match (authority, own) {
        (Some(authority), Some(own)) => is_same(own, authority.as_bytes(), scheme),
        (Some(_), None) => hosts == 0,
        (None, own) => own.is_some(),
    };
    let host = authority.map(str::as_bytes).or(own).unwrap_or_default();
    if !is_one || !names_host(host) {
        return Err(Malformed::Syntax);
    }
    if let Some(authority) = authority {
        let host = HeaderValue::from_str(authority).map_err(|_| Malformed::Syntax)?;
        head.headers.insert(HOST, host);
    }
    Ok(())
}

fn settle_target(head: &mut request::Parts, limit: usize) -> Result<(), Malformed> {
    if !matches!(head.uri.scheme_str(), None | Some("http" | "https")) {
        return Err(Malformed::Syntax);
    }
    let Some(path) = head.uri.path_and_query().cloned() else {
        // Which is refused for its method.
        return if head.method == Method::CONNECT { Ok(()) } else { Err(Malformed::Syntax) };
    };
    let text = path.as_str().as_bytes();
    target::check(text, limit)?;
    // The path of a query alone is called "/", but is written as it came.
    if !target::is_path(&head.method, text) {
        return Err(Malformed::Syntax);
    }
    head.uri = path.into();
    Ok(())
}

/// A cookie's pairs may come in fields of their own; elsewhere they belong into one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::Request;

    use super::*;
    use crate::message::head_rules::HeadLimits;

    const RULES: HeadRules<'_> =
        HeadRules { limits: HeadLimits { bytes: 4096, fields: 4, target: 20 }, taken_off: None };

    /// A request's head after it was judged.
    fn judged(uri: &str, fields: &[(&str, &str)], ends: bool) -> Result<request::Parts, Malformed> {
        let mut request = Request::get(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        super::request(&mut head, ends, RULES).map(|_| head)
    }

    #[test]
    fn the_authority_becomes_the_host_and_the_target_a_path() {
        let head = judged("https://a.example:8443/x?y", &[], true).unwrap();
        assert_eq!(
            (head.headers[HOST].to_str().unwrap(), head.uri.to_string()),
            ("a.example:8443", "/x?y".into())
        );
        let head = judged("/x", &[("host", "a.example")], true).unwrap();
        assert_eq!(head.headers[HOST], "a.example");
    }

    #[test]
    fn a_host_beside_the_authority_is_the_same_one() {
        for host in ["A.example", "a.example:443"] {
            let head = judged("https://a.example/", &[("host", host)], true).unwrap();
            assert_eq!(head.headers[HOST], "a.example", "the authority's spelling goes on");
        }
        for host in ["b.example", "a.example:80", ""] {
            let head = judged("https://a.example/", &[("host", host)], true);
            assert_eq!(head.unwrap_err(), Malformed::Syntax, "{host:?}");
        }
    }

    #[test]
    fn a_request_without_a_host_a_path_or_a_scheme_of_http_is_malformed() {
        for (uri, fields) in [
            ("/", &[][..]),
            ("/", &[("host", "")]),
            ("/", &[("host", "a"), ("host", "a")]),
            ("/", &[("host", "a%2eb")]),
            ("ftp://a/", &[]),
            ("http://u@a/", &[]),
        ] {
            assert_eq!(
                judged(uri, fields, true).unwrap_err(),
                Malformed::Syntax,
                "{uri} {fields:?}"
            );
        }
    }

    #[test]
    fn cookies_count_as_the_one_field_that_they_become() {
        let cookies = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3"), ("cookie", "d=4")];
        let head = judged("http://a/", &cookies, true).unwrap();
        assert_eq!(head.headers[COOKIE], "a=1; b=2; c=3; d=4");
        let fields = [("x-1", ""), ("x-2", ""), ("x-3", ""), ("x-4", "")];
        assert!(judged("http://a/", &fields[..3], true).is_ok(), "the host is a field too");
        assert_eq!(judged("http://a/", &fields, true).unwrap_err(), Malformed::HeaderTooLarge);
    }

    #[test]
    fn a_length_is_that_of_content_that_comes() {
        let length = [("content-length", "1")];
        assert!(judged("http://a/", &length, false).is_ok());
        assert_eq!(judged("http://a/", &length, true).unwrap_err(), Malformed::Syntax);
        assert!(judged("http://a/", &[("content-length", "0")], true).is_ok());
    }

    #[test]
    fn a_websocket_becomes_an_upgrade_and_any_other_connect_stays_one() {
        let connect = |protocol: &[u8], fields: &[(&str, &str)]| {
            let mut head = judged("http://a/x", fields, false).unwrap();
            head.method = Method::CONNECT;
            upgrade(&mut head, protocol).map(|is_upgrade| (is_upgrade, head.method))
        };
        assert_eq!(connect(b"WebSocket", &[]), Ok((true, Method::GET)));
        assert_eq!(connect(b"connect-udp", &[]), Ok((false, Method::CONNECT)));
        assert_eq!(connect(b"websocket", &[("content-length", "0")]), Err(Malformed::Syntax));
    }

    #[test]
    fn a_response_is_held_to_the_same_rules() {
        let mut headers = HeaderMap::new();
        headers.append("content-length", HeaderValue::from_static("5"));
        headers.append("content-length", HeaderValue::from_static("5"));
        response(&mut headers).unwrap();
        assert_eq!(headers.get_all("content-length").iter().count(), 1);
        headers.append("x-a", HeaderValue::from_static("a "));
        assert_eq!(response(&mut headers), Err(Malformed::Syntax));
    }
}
