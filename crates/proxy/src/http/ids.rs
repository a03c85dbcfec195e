//! Names of a request: `X-Request-Id`, and the trace it belongs to (W3C Trace Context).

use bytes::Bytes;
use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_core::balance::SplitMix64;

/// The request's name, made here or by its client.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context §3.2.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// W3C Trace Context §3.3.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest name that is taken over from a client.
const LONGEST: usize = 128;

/// Make sure that the request has a name and belongs to a trace; answers with the name.
///
/// A well-formed name or trace that the request has is passed on as it is. Otherwise both are begun
/// with the same 128 random bits, so that logs and traces find each other.
pub fn ensure(headers: &mut HeaderMap, random: &mut SplitMix64) -> HeaderValue {
    let (trace, name) = begin(random);
    if put_unless(headers, TRACEPARENT, trace, is_traceparent) {
        headers.remove(TRACESTATE);
    }
    match put_unless(headers, REQUEST_ID, name.clone(), is_name) {
        true => name,
        false => headers.get(REQUEST_ID).cloned().unwrap_or(name),
    }
}

/// A new name, for a request that has none of its own.
pub fn fresh(random: &mut SplitMix64) -> HeaderValue {
    begin(random).1
}

/// Give a field the value `fresh`, unless it has one that is well formed; whether it was given.
fn put_unless(
    headers: &mut HeaderMap,
    name: HeaderName,
    fresh: HeaderValue,
    is_well_formed: impl Fn(&[u8]) -> bool,
) -> bool {
    match headers.entry(name) {
        Entry::Occupied(field) if is_well_formed(field.get().as_bytes()) => return false,
        Entry::Occupied(mut field) => _ = field.insert(fresh),
        Entry::Vacant(field) => _ = field.insert(fresh),
    }
    true
}

/// A new trace, and the name that is its id: a part of the same text, and of the same memory.
fn begin(random: &mut SplitMix64) -> (HeaderValue, HeaderValue) {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
    hex(random.next(), &mut text[3..19]);
    hex(random.next(), &mut text[19..35]);
    // An id of zeros is invalid.
    hex(random.next().max(1), &mut text[36..52]);
    let text = Bytes::copy_from_slice(&text);
    let name = text.slice(3..35);
    (value(text), value(name))
}

/// A value that no other message has: HPACK is told not to keep it in its table (RFC 7541 §6.2.3), where it
/// would only push out those that come again.
fn value(text: Bytes) -> HeaderValue {
    let mut value =
        HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static("0"));
    value.set_sensitive(true);
    value
}

fn hex(number: u64, digits: &mut [u8]) {
    for (pair, byte) in digits.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair.copy_from_slice(&DIGITS_OF_BYTE[usize::from(byte)]);
    }
}

/// Each byte in hexadecimal: every request writes 24 of them.
static DIGITS_OF_BYTE: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

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
