//! The answer to a request that failed (RFC 9457, RFC 9209).

use std::fmt::Write;

use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER,
};
use http::{HeaderValue, Response, StatusCode};
use tidegate_core::failure::Failure;

use super::body::Body;
use super::quota::Exceeded;

/// RFC 9209.
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// What a failure's answer is made from.
pub struct Problem<'a> {
    /// What went wrong.
    pub failure: Failure,
    /// The gateway's name.
    pub gateway: &'a str,
    /// The request's name.
    pub request_id: &'a HeaderValue,
    /// How often the request was tried.
    pub tries: u32,
    /// Whether the client takes JSON; else it gets text.
    pub json: bool,
    /// The quotas that the request would exceed, where it failed for that.
    pub exceeded: Option<&'a Exceeded>,
}

impl Problem<'_> {
    /// The answer: a problem document (RFC 9457) or a line of text that names the cause and the request.
    pub fn response(&self) -> Response<Body> {
        let meaning = self.failure.meaning();
        let status =
            StatusCode::from_u16(meaning.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let title = status.canonical_reason().unwrap_or("Client Closed Request");
        let id = self.request_id.to_str().unwrap_or_default();
        let (content_type, content) = match self.json {
            true => {
                let kind = self.exceeded.map_or("about:blank", |_| Exceeded::TYPE);
                let more = self.exceeded.map_or_else(String::new, Exceeded::member);
                (
                    "application/problem+json",
                    format!(
                        "{{\"type\":\"{kind}\",\"title\":\"{title}\",\"status\":{},\"detail\":\"{}\",\"error\":\"{}\",\"request_id\":\"{id}\"{more}}}\n",
                        meaning.status, meaning.detail, meaning.label
                    ),
                )
            }
            false => (
                "text/plain; charset=utf-8",
                format!(
                    "{} {title}\n{}\nerror: {}\nrequest id: {id}\n",
                    meaning.status, meaning.detail, meaning.label
                ),
            ),
        };
        let mut response = full(status, content_type, content);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let retry_after = self.exceeded.and_then(|exceeded| exceeded.retry_after);
        if let Some(seconds) = retry_after.or(meaning.retry_after.map(u64::from)) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let mut proxy_status = String::with_capacity(64);
        // Writing to a string cannot fail.
        let _ = write!(proxy_status, "{}; error={}", self.gateway, meaning.proxy_status);
        if self.tries > 1 {
            let _ = write!(proxy_status, "; details=\"{} tries\"", self.tries);
        }
        if let Ok(value) = HeaderValue::try_from(proxy_status) {
            headers.insert(PROXY_STATUS, value);
        }
        response
    }
}

/// Whether `Accept` names JSON (RFC 9110 §12.5.1); a client that says nothing gets text.
pub fn takes_json(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| memchr::memmem::find(value.as_bytes(), b"json").is_some())
}

/// A response whose content is all there.
fn full(status: StatusCode, content_type: &'static str, content: String) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
    *response.body_mut() = Body::full(content);
    response
}
