//! Which fields a trailer section may have (RFC 9110 §6.5.1), in all versions of HTTP.

use http::header::{self, HeaderMap, HeaderName};

use super::Malformed;
use super::forwarding::is_forwarding;
use super::head_fields::has_blank_end;

/// Fields that say how a message is framed, routed, judged or read, or that belong to a connection: too late
/// in a trailer, as are those of [`is_forwarding`].
const FORBIDDEN: [HeaderName; 21] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    header::MAX_FORWARDS,
    header::RANGE,
    header::TRAILER,
    header::LOCATION,
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Most fields of a trailer section.
pub const MOST_FIELDS: usize = 64;

/// Whether a trailer section may have this field.
pub fn may_have(name: &HeaderName) -> bool {
    !FORBIDDEN.contains(name) && !is_forwarding(name.as_str())
}

/// A trailer section without the fields that none may have.
///
/// # Errors
/// There are too many, or one has a value that no field has.
pub fn permitted(mut trailers: HeaderMap) -> Result<HeaderMap, Malformed> {
    if trailers.len() > MOST_FIELDS {
        return Err(Malformed::HeaderTooLarge);
    }
    if trailers.values().any(|value| has_blank_end(value.as_bytes())) {
        return Err(Malformed::Syntax);
    }
    let names = trailers.keys().filter(|name| !may_have(name));
    for name in names.cloned().collect::<Vec<_>>() {
        trailers.remove(name);
    }
    Ok(trailers)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn fields_of_the_connection_and_of_routing_are_left_out_of_trailers() {
        let mut trailers = HeaderMap::new();
        for name in [
            "grpc-status",
            "host",
            "keep-alive",
            "transfer-encoding",
            "set-cookie",
            "x-forwarded-for",
            "sum",
        ] {
            trailers.append(name, HeaderValue::from_static("1"));
        }
        let trailers = permitted(trailers).unwrap();
        let mut left: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["grpc-status", "sum"]);
    }

    #[test]
    fn a_value_in_a_trailer_has_no_blanks_at_its_ends() {
        let mut trailers = HeaderMap::new();
        trailers.append("sum", HeaderValue::from_static("1 "));
        assert_eq!(permitted(trailers), Err(Malformed::Syntax));
    }
}
