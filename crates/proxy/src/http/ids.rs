//! Names of a request: `X-Request-Id`, and the trace it belongs to (W3C Trace Context).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_core::balance::SplitMix64;

/// The request's name, made here or by whoever sent it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context §3.2.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Longest name that is taken over from a client.
const LONGEST: usize = 128;

/// Make sure that the request has a name and belongs to a trace; answers with the name.
///
/// A well-formed name or trace that the request has is passed on as it is. Otherwise both are begun
/// with the same 128 random bits, so that logs and traces find each other.
pub fn ensure(headers: &mut HeaderMap, random: &mut SplitMix64) -> HeaderValue {
    let fresh = [random.next(), random.next()];
    if !headers.get(TRACEPARENT).is_some_and(|value| is_traceparent(value.as_bytes())) {
        headers.insert(TRACEPARENT, begin_trace(fresh, random.next()));
        headers.remove("tracestate");
    }
    match headers.get(&REQUEST_ID) {
        Some(id) if is_name(id.as_bytes()) => id.clone(),
        _ => {
            let id = name(fresh);
            headers.insert(REQUEST_ID, id.clone());
            id
        }
    }
}

/// A new name, for a request that has none of its own.
pub fn fresh(random: &mut SplitMix64) -> HeaderValue {
    name([random.next(), random.next()])
}

fn name(bits: [u64; 2]) -> HeaderValue {
    let mut text = [0; 32];
    hex(bits[0], &mut text[..16]);
    hex(bits[1], &mut text[16..]);
    value(&text)
}

fn begin_trace(trace: [u64; 2], span: u64) -> HeaderValue {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
    hex(trace[0], &mut text[3..19]);
    hex(trace[1], &mut text[19..35]);
    // An id of zeros is invalid.
    hex(span.max(1), &mut text[36..52]);
    value(&text)
}

/// A value that no other message has: HPACK is told not to keep it in its table (RFC 7541 §6.2.3), where it
/// would only push out those that come again.
fn value(text: &[u8]) -> HeaderValue {
    let mut value = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(text))
        .unwrap_or_else(|_| HeaderValue::from_static("0"));
    value.set_sensitive(true);
    value
}

fn hex(number: u64, digits: &mut [u8]) {
    for (index, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (index * 4)) as usize & 15];
    }
}

fn is_name(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte))
}

fn is_traceparent(value: &[u8]) -> bool {
    let is_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |part: &[u8]| part.iter().all(|b| *b == b'0');
    match value.get(..55) {
        Some(head) if value.len() == 55 || (value[55] == b'-' && !head.starts_with(b"00")) => {
            head[2] == b'-'
                && head[35] == b'-'
                && head[52] == b'-'
                && is_hex(&head[..2])
                && !head.starts_with(b"ff")
                && is_hex(&head[3..35])
                && !is_zero(&head[3..35])
                && is_hex(&head[36..52])
                && !is_zero(&head[36..52])
                && is_hex(&head[53..55])
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ensured(fields: &[(&'static str, &'static str)]) -> (HeaderMap, HeaderValue) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let id = ensure(&mut headers, &mut SplitMix64::new(7));
        (headers, id)
    }

    #[test]
    fn a_request_without_names_gets_them() {
        let (headers, id) = ensured(&[]);
        let trace = headers[TRACEPARENT].to_str().unwrap();
        assert!(is_traceparent(trace.as_bytes()));
        assert_eq!(&trace[3..35], id.to_str().unwrap());
        assert_eq!(headers[REQUEST_ID], id);
    }

    #[test]
    fn well_formed_names_are_passed_on_and_others_replaced() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let (headers, id) = ensured(&[("x-request-id", "abc-1"), ("traceparent", trace)]);
        assert_eq!(
            (id.to_str().unwrap(), headers[TRACEPARENT].to_str().unwrap()),
            ("abc-1", trace)
        );
        for bad in ["", "a b", "a\"b", "a,b"] {
            assert_ne!(ensured(&[("x-request-id", bad)]).1, bad);
        }
        for bad in ["", "00-0-0-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
            assert_ne!(ensured(&[("traceparent", bad)]).0[TRACEPARENT], bad);
        }
    }
}
