//! The target of a request: its path and query (RFC 9112 §3.2, RFC 9113 §8.3.1).

use http::Method;

use super::Malformed;

/// Check the bytes and the length of a target, whatever its form.
///
/// # Errors
/// It is longer than `limit`, or has bytes that no URI has (RFC 3986 §2): controls, blanks and what is beyond
/// ASCII have to be encoded, and `#` begins what is not sent.
pub fn check(target: &[u8], limit: usize) -> Result<(), Malformed> {
    if target.len() > limit {
        return Err(Malformed::UriTooLong);
    }
    match target.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#') {
        true => Ok(()),
        false => Err(Malformed::Syntax),
    }
}

/// Whether a target is a path, or the asterisk, which `OPTIONS` alone may ask for.
pub fn is_path(method: &Method, target: &[u8]) -> bool {
    target.starts_with(b"/") || (target == b"*" && method == Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_visible_ascii_without_a_fragment() {
        assert_eq!(check(b"/a?b=%20{c}", 11), Ok(()));
        assert_eq!(check(b"/a?b=%20{c}", 10), Err(Malformed::UriTooLong));
        for target in
            ["/a b", "/a\tb", "/a#b", "/?a#b", "/\u{7f}", "/\0", "/caf\u{e9}", "/?q=\u{e9}"]
        {
            assert_eq!(check(target.as_bytes(), 100), Err(Malformed::Syntax), "{target:?}");
        }
    }

    #[test]
    fn only_options_asks_for_the_asterisk() {
        assert!(is_path(&Method::GET, b"/") && is_path(&Method::OPTIONS, b"*"));
        for target in [&b"*"[..], b"", b"a", b"?a", b"http://a/"] {
            assert!(!is_path(&Method::GET, target), "{target:?}");
        }
    }
}
