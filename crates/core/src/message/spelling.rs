//! Spellings of a field's name: CGI, WSGI and the like write `-` and `_` alike (RFC 3875 §4.1.18), so that a server may
//! take one field for the other.

use http::{HeaderMap, HeaderName};

/// Whether `name` may be taken for `of`, which is written with `-`. Both are in lower case.
pub fn is_spelling(name: &str, of: &str) -> bool {
    let alike = |(own, other)| own == other || (own, other) == (b'_', b'-');
    name.len() == of.len() && name.bytes().zip(of.bytes()).all(alike)
}

/// Whether `name` is none of `names` and may be taken for one.
pub fn imitates(name: &HeaderName, names: &[HeaderName]) -> bool {
    names.iter().any(|of| is_spelling(name.as_str(), of.as_str()) && name != of)
}

/// Take away every field that imitates one of `names`.
pub fn take_off_imitations(headers: &mut HeaderMap, names: &[HeaderName]) {
    take_off_those(headers, |name| imitates(name, names));
}

/// Take away every field of these `names`, in any spelling.
pub fn take_off(headers: &mut HeaderMap, names: &[HeaderName]) {
    // Nearly all differ in length: so to look at each field costs less than to look each name up.
    take_off_those(headers, |name| names.iter().any(|of| is_spelling(name.as_str(), of.as_str())));
}

fn take_off_those(headers: &mut HeaderMap, is_one: impl Fn(&HeaderName) -> bool) {
    let those: Vec<_> = headers.keys().filter(|name| is_one(name)).cloned().collect();
    for name in those {
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

    /// The names of the fields that `take_off` leaves of these.
    fn left(take_off: fn(&mut HeaderMap, &[HeaderName])) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for name in ["x-auth-user", "x_auth_user", "x-auth_user", "x-auth-user", "x_other"] {
            headers.append(name, HeaderValue::from_static("mallory"));
        }
        take_off(&mut headers, &[USER]);
        let mut left: Vec<_> = headers.keys().map(ToString::to_string).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn imitations_are_taken_off_and_what_they_imitate_stays() {
        assert_eq!(left(take_off_imitations), ["x-auth-user", "x_other"]);
    }

    #[test]
    fn a_field_is_taken_off_in_every_spelling() {
        assert_eq!(left(take_off), ["x_other"]);
    }
}
