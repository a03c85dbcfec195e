//! Tokens (RFC 9110 §5.6.2): names of fields, cookies and extensions.

/// Whether `byte` may be part of a token.
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Whether `text` is a token.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_no_delimiters() {
        assert!(is_token("!#$%&'*+-.^_`|~09azAZ"));
        for text in
            ["", "a b", "a\t", "a\"", "a(", "a,", "a/", "a:", "a;", "a=", "a@", "a\\", "\u{e9}"]
        {
            assert!(!is_token(text), "{text:?}");
        }
    }
}
