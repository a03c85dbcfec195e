//! The handshake over HTTP/1 (RFC 6455 §4): a key, and the answer to it, which shows that the server knows the protocol.
//! HTTP/2 and HTTP/3 have neither (RFC 8441 §5).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// What is appended to a key (§1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The key of a client that drew these random bytes: the value of `Sec-WebSocket-Key`.
pub fn key(random: [u8; 16]) -> HeaderValue {
    value(&random)
}

/// What a server answers to `key`: the value of `Sec-WebSocket-Accept`.
pub fn accept(key: &HeaderValue) -> HeaderValue {
    let answered = [key.as_bytes(), GUID].concat();
    value(digest(&SHA1_FOR_LEGACY_USE_ONLY, &answered).as_ref())
}

fn value(bytes: &[u8]) -> HeaderValue {
    // Base64 has none but visible characters.
    HeaderValue::try_from(STANDARD.encode(bytes)).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_as_the_rfc_says() {
        // §1.3 and its example.
        let key = key(*b"the sample nonce");
        assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_of_other_random_bytes_are_others() {
        assert_ne!(key([0; 16]), key([1; 16]));
        assert_ne!(accept(&key([0; 16])), accept(&key([1; 16])));
    }
}
