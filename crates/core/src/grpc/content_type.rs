//! The content types of gRPC: `application/grpc`, `application/grpc-web` and `application/grpc-web-text`, each with an
//! encoding of messages behind it (`+proto`) or none. An RPC is told by its own.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};

/// That of an RPC.
pub const GRPC: &str = "application/grpc";

/// Whether a request of this method, with these fields, is an RPC of gRPC itself. They are all made by POST, so nothing is
/// looked for in the fields of others.
#[inline]
pub fn is_rpc(method: &Method, fields: &HeaderMap) -> bool {
    *method == Method::POST
        && fields.get(CONTENT_TYPE).is_some_and(|value| encoding(value.as_bytes(), GRPC).is_some())
}

/// The encoding of messages that a content type of this `kind` names, like `+proto`, or none, which is empty; `None` if it
/// is of another kind. Parameters may follow (RFC 9110 §8.3.1), none of which gRPC knows.
pub(super) fn encoding<'a>(value: &'a [u8], kind: &str) -> Option<&'a [u8]> {
    let (head, rest) = value.split_at_checked(kind.len())?;
    if !head.eq_ignore_ascii_case(kind.as_bytes()) {
        return None;
    }
    let end = rest.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t'));
    let (encoding, parameters) = rest.split_at(end.unwrap_or(rest.len()));
    let is_whole = matches!(encoding, [] | [b'+', _, ..])
        && matches!(parameters.trim_ascii_start(), [] | [b';', ..]);
    is_whole.then_some(encoding)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(content_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))])
    }

    #[test]
    fn an_rpc_is_told_by_its_content_type() {
        for rpc in [
            "application/grpc",
            "application/grpc+proto",
            "APPLICATION/GRPC+Proto",
            "Application/gRPC; x=y",
            "application/grpc ;x=y",
            "application/grpc+json\t; x=y",
        ] {
            assert!(is_rpc(&Method::POST, &fields(rpc)), "{rpc}");
        }
        for other in [
            "application/grpc-web",
            "application/grpc-web-text",
            "application/grpcx",
            "application/grpc x",
            "application/grpc, text/html",
            "application/grpc+",
            "application/json",
            "text/plain; application/grpc",
            "",
            "a",
        ] {
            assert!(!is_rpc(&Method::POST, &fields(other)), "{other}");
        }
        assert!(!is_rpc(&Method::POST, &HeaderMap::new()));
    }

    #[test]
    fn a_request_of_another_method_is_no_rpc() {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS, Method::CONNECT] {
            assert!(!is_rpc(&method, &fields("application/grpc")), "{method}");
        }
    }
}
