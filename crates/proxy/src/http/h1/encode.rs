//! Writing heads (RFC 9112 §3 and §4), and choosing how the body behind them is framed.

use http::header::{CONTENT_LENGTH, DATE, TE, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, request};
use tidegate_core::message::content;

use super::fields;
use super::framing::Encoder;
use crate::http::body::Body;

/// Append a request's head; the encoder writes its body.
pub fn request(
    head: &request::Parts,
    body: &Body,
    upgrade: Option<&HeaderValue>,
    buffer: &mut Vec<u8>,
) -> Encoder {
    buffer.extend_from_slice(head.method.as_str().as_bytes());
    buffer.push(b' ');
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    buffer.extend_from_slice(target.as_bytes());
    buffer.extend_from_slice(b" HTTP/1.1\r\n");
    let (mut length, mut names_te) = (None, false);
    push_all(&head.headers, buffer, |name, value| match *name {
        CONTENT_LENGTH => length = length.or_else(|| announced(value)),
        TE => names_te = true,
        _ => {}
    });
    push_connection(buffer, upgrade, names_te);
    let encoder = match length {
        Some(length) => Encoder::Length(length),
        None if body.is_end() => {
            if has_content(&head.method) {
                buffer.extend_from_slice(b"content-length: 0\r\n");
            }
            Encoder::None
        }
        None => {
            buffer.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Encoder::Chunked
        }
    };
    buffer.extend_from_slice(b"\r\n");
    encoder
}

/// Whether a method says what its content is for, so that it is said also that there is none (RFC 9110 §8.6).
fn has_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// What decides the framing of a response besides its own head.
pub struct ResponseContext<'a> {
    /// Whether the request's method is `HEAD`.
    pub is_of_head: bool,
    /// The client's version.
    pub version: Version,
    /// Whether the connection is to stay open.
    pub keep_alive: bool,
    /// Tells the date, for a response that has none.
    pub date: &'a dyn Fn() -> HeaderValue,
}

/// Append a response's head; `is_whole` says that no content follows it. Returns what writes the body, and
/// whether the connection stays open.
pub fn response(
    status: StatusCode,
    headers: &HeaderMap,
    is_whole: bool,
    context: &ResponseContext<'_>,
    buffer: &mut Vec<u8>,
) -> (Encoder, bool) {
    status_line(status, buffer);
    let (mut length, mut is_dated, mut upgrades) = (None, false, false);
    push_all(headers, buffer, |name, value| match *name {
        CONTENT_LENGTH => length = length.or_else(|| announced(value)),
        DATE => is_dated = true,
        UPGRADE => upgrades = true,
        _ => {}
    });
    if !is_dated {
        fields::push(buffer, &DATE, &(context.date)());
    }
    let mut keep_alive = context.keep_alive;
    let encoder = response_encoder(status, length, is_whole, context, buffer);
    if encoder == Encoder::UntilClose {
        keep_alive = false;
    }
    if upgrades {
        buffer.extend_from_slice(b"connection: upgrade\r\n");
    }
    match (keep_alive, context.version) {
        (false, _) => buffer.extend_from_slice(b"connection: close\r\n"),
        (true, Version::HTTP_10) => buffer.extend_from_slice(b"connection: keep-alive\r\n"),
        (true, _) => {}
    }
    buffer.extend_from_slice(b"\r\n");
    (encoder, keep_alive)
}

/// Append all fields, each shown to `see`: one walk over them costs less than to look some up besides.
fn push_all(
    headers: &HeaderMap,
    buffer: &mut Vec<u8>,
    mut see: impl FnMut(&HeaderName, &HeaderValue),
) {
    for (name, value) in headers {
        fields::push(buffer, name, value);
        see(name, value);
    }
}

fn response_encoder(
    status: StatusCode,
    length: Option<u64>,
    is_whole: bool,
    context: &ResponseContext<'_>,
    buffer: &mut Vec<u8>,
) -> Encoder {
    if context.is_of_head || content::is_bodiless(status) {
        return Encoder::None;
    }
    if let Some(length) = length {
        return Encoder::Length(length);
    }
    if is_whole {
        buffer.extend_from_slice(b"content-length: 0\r\n");
        return Encoder::None;
    }
    if context.version == Version::HTTP_10 {
        return Encoder::UntilClose;
    }
    buffer.extend_from_slice(b"transfer-encoding: chunked\r\n");
    Encoder::Chunked
}

/// Append an interim (1xx) or switching response's head.
pub fn interim(
    status: StatusCode,
    headers: &HeaderMap,
    upgrade: Option<&HeaderValue>,
    buffer: &mut Vec<u8>,
) {
    status_line(status, buffer);
    for (name, value) in headers {
        fields::push(buffer, name, value);
    }
    push_connection(buffer, upgrade, false);
    buffer.extend_from_slice(b"\r\n");
}

fn status_line(status: StatusCode, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(b"HTTP/1.1 ");
    buffer.extend_from_slice(status.as_str().as_bytes());
    buffer.push(b' ');
    buffer.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
    buffer.extend_from_slice(b"\r\n");
}

/// What is of this connection only is named so (RFC 9110 §7.8, §10.1.4).
fn push_connection(buffer: &mut Vec<u8>, upgrade: Option<&HeaderValue>, names_te: bool) {
    buffer.extend_from_slice(match (upgrade, names_te) {
        (Some(_), true) => b"connection: upgrade, te\r\n",
        (Some(_), false) => b"connection: upgrade\r\n",
        (None, true) => b"connection: te\r\n",
        (None, false) => b"",
    });
    if let Some(protocol) = upgrade {
        fields::push(buffer, &UPGRADE, protocol);
    }
}

/// The length that `Content-Length` says.
fn announced(length: &HeaderValue) -> Option<u64> {
    length.to_str().ok()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_that_may_have_content_says_that_it_has_none() {
        for (method, said) in [(Method::POST, true), (Method::PUT, true), (Method::GET, false)] {
            let request = Request::builder().method(method.clone()).uri("/").body(()).unwrap();
            let mut wire = Vec::new();
            super::request(&request.into_parts().0, &Body::Empty, None, &mut wire);
            let text = String::from_utf8(wire).unwrap();
            assert_eq!(text.contains("content-length: 0\r\n"), said, "{method}");
        }
    }

    #[test]
    fn an_upgrade_does_not_take_te_off_the_fields_that_connection_names() {
        let request = Request::get("/").header(TE, "trailers").body(()).unwrap();
        let (websocket, mut wire) = (HeaderValue::from_static("websocket"), Vec::new());
        super::request(&request.into_parts().0, &Body::Empty, Some(&websocket), &mut wire);
        let expected = "GET / HTTP/1.1\r\nte: trailers\r\nconnection: upgrade, te\r\nupgrade: websocket\r\n\r\n";
        assert_eq!(String::from_utf8(wire).unwrap(), expected);
    }
}
