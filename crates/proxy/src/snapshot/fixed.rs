//! Fixed responses.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidegate_core::message::content;
use tidegate_core::plan::{self, Issue};
use tidegate_core::rewrite::settable_field;

/// What a body is that nothing is said of.
const TEXT: &str = "text/plain; charset=utf-8";

/// A fixed response.
#[derive(Debug)]
pub struct Fixed {
    /// Status.
    pub status: StatusCode,
    /// Fields, those that describe and frame the content too.
    pub headers: HeaderMap,
    /// Content.
    pub body: Bytes,
}

impl Fixed {
    /// Reads the option `respond`, which stands at `at` (like `routes.3.respond`). What is wrong is added to
    /// `issues` and left out.
    pub(super) fn build(wanted: &plan::Respond, at: &str, issues: &mut Vec<Issue>) -> Self {
        let status = StatusCode::from(wanted.status);
        let mut headers = HeaderMap::with_capacity(wanted.headers.len() + 2);
        for (name, value) in &wanted.headers {
            let field = if name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str()) {
                is_length(value, &wanted.body).map(|()| None)
            } else if status == StatusCode::UPGRADE_REQUIRED && name.eq_ignore_ascii_case("upgrade")
            {
                upgrade(value).map(Some)
            } else {
                settable_field(name, value).map(Some)
            };
            match field {
                Ok(field) => headers.extend(field),
                Err(wrong) => issues.push(Issue::new(format!("{at}.headers.{name}"), wrong)),
            }
        }
        if !wanted.body.is_empty() {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(TEXT));
        }
        if !content::is_bodiless(status) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(wanted.body.len()));
        }
        Self { status, headers, body: wanted.body.clone().into() }
    }
}

fn is_length(value: &str, body: &str) -> Result<(), String> {
    if value.parse() == Ok(body.len()) {
        return Ok(());
    }
    Err(format!("the body has {} bytes; leave `content-length` to the gateway", body.len()))
}

/// The field that such a response must have (RFC 9110 §15.5.22), of which the gateway makes none itself.
fn upgrade(value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
    Ok((UPGRADE, value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn build(respond: Value) -> (Fixed, Vec<String>) {
        let mut whole = json!({"status": 200, "headers": {}, "body": ""});
        whole.as_object_mut().unwrap().extend(respond.as_object().unwrap().clone());
        let mut issues = Vec::new();
        let fixed = Fixed::build(&serde_json::from_value(whole).unwrap(), "r", &mut issues);
        (fixed, issues.iter().map(ToString::to_string).collect())
    }

    fn told(fixed: &Fixed, name: HeaderName) -> Option<&str> {
        fixed.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_body_is_text_unless_something_else_is_said() {
        let (plain, _) = build(json!({"body": "ü"}));
        assert_eq!(told(&plain, CONTENT_TYPE), Some("text/plain; charset=utf-8"));
        assert_eq!(told(&plain, CONTENT_LENGTH), Some("2"));
        let (json, _) =
            build(json!({"body": "{}", "headers": {"Content-Type": "application/json"}}));
        assert_eq!(told(&json, CONTENT_TYPE), Some("application/json"));
        let (empty, _) = build(json!({}));
        assert_eq!((told(&empty, CONTENT_TYPE), told(&empty, CONTENT_LENGTH)), (None, Some("0")));
    }

    #[test]
    fn a_response_without_content_has_no_length() {
        for status in [204, 304] {
            assert_eq!(told(&build(json!({"status": status})).0, CONTENT_LENGTH), None);
        }
    }

    #[test]
    fn a_length_that_the_body_does_not_have_is_refused() {
        for wrong in ["3", "1", "-2", "x", ""] {
            let (_, issues) = build(json!({"body": "ok", "headers": {"Content-Length": wrong}}));
            assert_eq!(
                issues,
                [
                    "r.headers.Content-Length: the body has 2 bytes; leave `content-length` to the gateway"
                ]
            );
        }
        let (right, issues) = build(json!({"body": "ok", "headers": {"content-length": "2"}}));
        assert_eq!((told(&right, CONTENT_LENGTH), issues.len()), (Some("2"), 0));
    }

    #[test]
    fn other_fields_of_framing_and_of_connections_are_refused() {
        for name in ["transfer-encoding", "Connection", "keep-alive", "upgrade"] {
            assert_eq!(build(json!({"headers": {name: "x"}})).1.len(), 1, "{name}");
        }
        let (fixed, issues) = build(json!({"status": 426, "headers": {"upgrade": "h2c"}}));
        assert_eq!((told(&fixed, UPGRADE), issues.len()), (Some("h2c"), 0));
    }
}
