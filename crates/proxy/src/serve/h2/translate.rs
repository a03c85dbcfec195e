//! A request over HTTP/2 as the stack reads it.

use h2::RecvStream;
use http::header::{COOKIE, EXPECT, HOST};
use http::{HeaderMap, HeaderValue, Method, StatusCode, request};
use tidegate_core::failure::Failure;

use super::response::SendHalf;
use crate::client::Client;
use crate::http::ADDED_FIELDS;
use crate::http::body::Body;
use crate::http::h2::Incoming;
use crate::http::host::{is_empty, is_host};
use crate::http::interim::Interim;

/// Bring `head` into the form that the stack reads: `:authority` becomes `Host` (RFC 9113 §8.3.1), the limits
/// that frames alone do not enforce are checked. Returns the body of `stream`.
pub fn translate(
    client: &Client,
    head: &mut request::Parts,
    stream: RecvStream,
    send_half: &SendHalf,
) -> Result<Body, Failure> {
    let limits = client.settings.head_limits;
    if head.headers.len() > limits.fields {
        return Err(Failure::HeaderTooLarge);
    }
    head.headers.reserve(ADDED_FIELDS);
    let target = head.uri.path_and_query().cloned();
    if target.as_ref().is_some_and(|target| target.as_str().len() > limits.target) {
        return Err(Failure::UriTooLong);
    }
    let authority = head.uri.authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if head.headers.get_all(HOST).iter().count() > 1 {
        return Err(Failure::MalformedRequest);
    }
    match (authority, head.headers.get(HOST)) {
        (Some(Ok(authority)), Some(host)) if host != authority => {
            return Err(Failure::MalformedRequest);
        }
        (Some(Ok(authority)), _) => _ = head.headers.insert(HOST, authority),
        (None, Some(_)) => {}
        _ => return Err(Failure::MalformedRequest),
    }
    let names_host = |host: &HeaderValue| is_host(host.as_bytes()) && !is_empty(host.as_bytes());
    if !head.headers.get(HOST).is_some_and(names_host) {
        return Err(Failure::MalformedRequest);
    }
    if let Some(target) = target {
        // RFC 9113 §8.3.1. `http` calls the path of a query alone "/", but writes it as it came.
        let of_server = target == "*" && head.method == Method::OPTIONS;
        if !of_server && !target.as_str().starts_with('/') {
            return Err(Failure::MalformedRequest);
        }
        head.uri = target.into();
    }
    join_cookies(&mut head.headers);
    let expects = head.headers.remove(EXPECT);
    match expects {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            return Err(Failure::ExpectationFailed);
        }
        Some(_) if !stream.is_end_stream() => {
            send_half.send(StatusCode::CONTINUE, HeaderMap::new())
        }
        _ => {}
    }
    Ok(match stream.is_end_stream() {
        true => Body::Empty,
        false => {
            let idle = client.settings.plan.timeouts.request_body.duration();
            let (late, gone) = (Failure::BodyTimeout, Failure::ClientGone);
            Body::stream(Incoming::new(stream, idle, late, gone))
        }
    })
}

/// HTTP/2 may send a cookie's pairs in fields of their own; elsewhere they belong into one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}
