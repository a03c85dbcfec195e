//! Spellings of a field's name: CGI, WSGI and the like write `-` and `_` alike (RFC 3875 §4.1.18), so that a server may
//! take one field for the other.

use http::{HeaderMap, HeaderName};

/// Whether `name` may be taken for `of`, which is written with `-`. Both are in lower case.
pub fn is_spelling(name: &str, of: &str) -> bool {
    let alike = |(own, other)| own == other || (own, other) == (b'_', b'-');
    name.len() == of.len() && name.bytes().zip(of.bytes()).all(alike)
}

/// Whether `name` is written with `_` and may be taken for one of `names`.
pub fn imitates(name: &HeaderName, names: &[HeaderName]) -> bool {
    name.as_str().contains('_') && names.iter().any(|of| is_spelling(name.as_str(), of.as_str()))
}

/// Take away every field that imitates one of `names`.
pub fn take_off_imitations(headers: &mut HeaderMap, names: &[HeaderName]) {
    let imitations: Vec<_> = headers.keys().filter(|name| imitates(name, names)).cloned().collect();
    for name in imitations {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const USER: HeaderName = HeaderName::from_static("x-auth-user");

    #[test]
    fn a_name_is_a_spelling_of_another_with_any_of_its_blanks_written_otherwise() {
        for name in ["x-auth-user", "x_auth-user", "x-auth_user", "x_auth_user"] {
            assert!(is_spelling(name, "x-auth-user"), "{name}");
        }
        for name in ["x-auth-users", "x-auth", "x-auth.user", ""] {
            assert!(!is_spelling(name, "x-auth-user"), "{name}");
        }
    }

    #[test]
    fn imitations_are_taken_off_and_what_they_imitate_stays() {
        let mut headers = HeaderMap::new();
        for name in ["x-auth-user", "x_auth_user", "x-auth_user", "x_other"] {
            headers.append(name, HeaderValue::from_static("mallory"));
        }
        take_off_imitations(&mut headers, &[USER]);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-auth-user", "x_other"]);
    }
}
