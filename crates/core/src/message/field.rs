//! What is read of header fields in several places: tokens, lists and cookies.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Whether `byte` may be part of a token (RFC 9110 §5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Whether `text` is a token, as names of fields and of cookies are (RFC 6265 §4.1.1).
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// The members of a list (RFC 9110 §5.6.1), empty ones too, without the blanks around them. A comma in a quoted string
/// (§5.6.4) is part of its member; a string without an end reaches to that of the value.
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let ends = move |byte: &u8| {
        let escapes = is_quoted && !is_escaped && *byte == b'\\';
        if *byte == b'"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = escapes;
        *byte == b',' && !is_quoted
    };
    value.split(ends).map(<[u8]>::trim_ascii)
}

/// The values of the cookie `name` in a request with these fields, the first one first.
///
/// Clients send `name=value` pairs with `; ` between them (RFC 6265 §4.2.1); blanks around names and values are
/// left out, as clients do when they read `Set-Cookie` (§5.2). A pair without `=` is no cookie.
pub fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let fields = headers.get_all(COOKIE).iter();
    fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b';')).filter_map(move |pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (own, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        (own == name.as_bytes()).then_some(value)
    })
}

/// The `Cookie` field that is left of a request with these fields when the cookies `name` are taken away; `None` where
/// no other is.
pub fn without_cookie(headers: &HeaderMap, name: &str) -> Option<HeaderValue> {
    let fields = headers.get_all(COOKIE).iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b';'));
    let others = pairs.map(<[u8]>::trim_ascii).filter(|pair| {
        let own = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        !pair.is_empty() && own.trim_ascii() != name.as_bytes()
    });
    let left = others.collect::<Vec<_>>().join(&b"; "[..]);
    HeaderValue::from_bytes(&left).ok().filter(|left| !left.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The values of the cookie `a` in a request with these `Cookie` fields.
    fn values(fields: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, HeaderValue::from_str(field).unwrap());
        }
        cookies(&headers, "a").map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others_and_in_any_field() {
        assert_eq!(values(&["aa=0; a=1; b=2"]), ["1"]);
        assert_eq!(values(&["b=2", "c=3;a=1"]), ["1"]);
        assert_eq!(values(&["a=1; a=2", "a=3"]), ["1", "2", "3"]);
        assert_eq!(values(&["A=1; b=a=2"]), [""; 0], "names are case-sensitive");
    }

    #[test]
    fn blanks_around_a_name_and_a_value_do_not_count() {
        for field in ["a = 1", "b=2;  a=1  ;c=3", " a\t=\t1 "] {
            assert_eq!(values(&[field]), ["1"], "{field:?}");
        }
    }

    #[test]
    fn a_value_may_be_empty_or_hold_an_equals_sign_and_a_pair_without_one_is_no_cookie() {
        assert_eq!(values(&["a=; a=b=c=="]), ["", "b=c=="]);
        assert_eq!(values(&["a; a b; ="]), [""; 0]);
    }

    #[test]
    fn commas_end_members_unless_they_are_quoted() {
        for (list, wanted) in [
            ("", &[""][..]),
            ("a", &["a"]),
            (" a ,\tb,,c", &["a", "b", "", "c"]),
            ("a=\"1, 2\", b", &["a=\"1, 2\"", "b"]),
            (r#""a\", b", c"#, &[r#""a\", b""#, "c"]),
            (r#""a\\", b"#, &[r#""a\\""#, "b"]),
            (r#"a\, b"#, &[r"a\", "b"]),
            ("a, \"b, c", &["a", "\"b, c"]),
        ] {
            let wanted: Vec<_> = wanted.iter().map(|member| member.as_bytes()).collect();
            assert_eq!(members(list.as_bytes()).collect::<Vec<_>>(), wanted, "{list}");
        }
    }

    #[test]
    fn a_token_has_visible_characters_and_no_delimiters() {
        for text in ["session", "x-User_1", "!#$%&'*+-.^_`|~"] {
            assert!(is_token(text), "{text}");
        }
        for text in ["", "a b", "a=b", "a;b", "a\"", "é", "a:80", "[::1]", "a\0"] {
            assert!(!is_token(text), "{text}");
        }
    }
}
