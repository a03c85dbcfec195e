//! The content types of gRPC: `application/grpc`, `application/grpc-web` and `application/grpc-web-text`, each with an
//! encoding of messages behind it (`+proto`) or none.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// That of an RPC.
pub const GRPC: &str = "application/grpc";

/// Whether a message with these fields is one of gRPC itself.
pub fn is_grpc(fields: &HeaderMap) -> bool {
    fields.get(CONTENT_TYPE).is_some_and(|value| behind(value.as_bytes(), GRPC).is_some())
}

/// What stands behind `kind` in a content type that is of it: nothing, an encoding of messages, or parameters.
pub(super) fn behind<'a>(value: &'a [u8], kind: &str) -> Option<&'a [u8]> {
    let (head, rest) = value.split_at_checked(kind.len())?;
    let is_whole = matches!(rest.first(), None | Some(b'+' | b';' | b' ' | b'\t'));
    (is_whole && head.eq_ignore_ascii_case(kind.as_bytes())).then_some(rest)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is(value: &'static str) -> bool {
        is_grpc(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]))
    }

    #[test]
    fn an_rpc_is_told_by_its_content_type() {
        for rpc in ["application/grpc", "application/grpc+proto", "Application/gRPC; x=y"] {
            assert!(is(rpc), "{rpc}");
        }
        for other in ["application/grpc-web", "application/grpcx", "application/json", "", "a"] {
            assert!(!is(other), "{other}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
