//! Where in a request a credential stands.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri, request};

use crate::message::field::{cookies, without_cookie};
use crate::message::spelling::take_off;
use crate::plan;
use crate::query::{parameters, without_parameter};

/// Where a credential may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In `Authorization`, after this scheme and a blank (RFC 9110 §11.4), like `Bearer` (RFC 6750 §2.1).
    Authorization(&'static str),
    /// It is the value of this field.
    Header(HeaderName),
    /// It is the value of this cookie.
    Cookie(Box<str>),
    /// It is the value of this query parameter.
    Query(Box<str>),
}

impl Place {
    /// The place of a bearer token.
    pub const BEARER: Self = Self::Authorization("Bearer");
    /// The place of a name and a password (RFC 7617 §2).
    pub const BASIC: Self = Self::Authorization("Basic");

    /// The place that an option names.
    ///
    /// # Errors
    /// What is wrong with the option.
    pub fn build(wanted: &plan::Place) -> Result<Self, String> {
        let plan::Place { bearer, header, cookie, query } = wanted;
        let header = header.as_ref().map(|name| {
            let name = HeaderName::try_from(name);
            name.map(Self::Header).map_err(|_| "expected the name of a field")
        });
        let header = header.transpose()?;
        let mut found: Vec<_> = header.into_iter().collect();
        found.extend((*bearer == Some(true)).then_some(Self::BEARER));
        found.extend(cookie.as_deref().map(|name| Self::Cookie(name.into())));
        found.extend(query.as_deref().map(|name| Self::Query(name.into())));
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err("expected exactly one place of a credential".into()),
        }
    }

    /// The credential that stands here.
    pub fn find<'r>(&self, head: &'r request::Parts) -> Option<Cow<'r, [u8]>> {
        match self {
            Self::Authorization(scheme) => head
                .headers
                .get_all(AUTHORIZATION)
                .iter()
                .find_map(|value| of_scheme(value, scheme)),
            Self::Header(name) => head.headers.get(name).map(HeaderValue::as_bytes),
            Self::Cookie(name) => cookies(&head.headers, name).next(),
            Self::Query(name) => return parameters(head.uri.query(), name).next(),
        }
        .map(Cow::Borrowed)
    }

    /// Every credential that stands here.
    pub fn all<'r>(&self, head: &'r request::Parts) -> Vec<Cow<'r, [u8]>> {
        match self {
            Self::Authorization(scheme) => {
                let fields = head.headers.get_all(AUTHORIZATION).iter();
                fields.filter_map(|value| of_scheme(value, scheme)).map(Cow::Borrowed).collect()
            }
            Self::Header(name) => {
                let fields = head.headers.get_all(name).iter();
                fields.map(|value| Cow::Borrowed(value.as_bytes())).collect()
            }
            Self::Cookie(name) => cookies(&head.headers, name).map(Cow::Borrowed).collect(),
            Self::Query(name) => parameters(head.uri.query(), name).collect(),
        }
    }

    /// Take away all that stands here, so that it goes no further.
    pub fn take_off(&self, head: &mut request::Parts) {
        match self {
            Self::Authorization(scheme) => {
                let mut fields = head.headers.get_all(AUTHORIZATION).iter();
                if fields.any(|value| of_scheme(value, scheme).is_some()) {
                    head.headers.remove(AUTHORIZATION);
                }
            }
            Self::Header(name) => take_off(&mut head.headers, std::slice::from_ref(name)),
            Self::Cookie(name) => match without_cookie(&head.headers, name) {
                Some(left) => _ = head.headers.insert(COOKIE, left),
                None => _ = head.headers.remove(COOKIE),
            },
            Self::Query(name) => {
                if let Some(left) = without_parameter(head.uri.query(), name) {
                    let path = head.uri.path();
                    let target =
                        if left.is_empty() { path.to_owned() } else { format!("{path}?{left}") };
                    // What is left of a valid target is one.
                    if let Ok(target) = PathAndQuery::try_from(target) {
                        head.uri = with_target(&head.uri, target);
                    }
                }
            }
        }
    }

    /// Whether a page of another origin can have a request sent with what stands here: browsers send it on their own, or
    /// the page writes it into the address.
    pub fn is_ambient(&self) -> bool {
        match self {
            Self::Cookie(_) | Self::Query(_) => true,
            Self::Authorization(scheme) => *scheme == "Basic",
            Self::Header(_) => false,
        }
    }
}

/// What follows a scheme, which is written in any case.
fn of_scheme<'v>(value: &'v HeaderValue, scheme: &str) -> Option<&'v [u8]> {
    let (own, credential) = value.as_bytes().split_at_checked(scheme.len())?;
    let blank = matches!(credential.first(), Some(b' ' | b'\t'));
    (blank && own.eq_ignore_ascii_case(scheme.as_bytes())).then(|| credential.trim_ascii())
}

fn with_target(uri: &Uri, target: PathAndQuery) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::Request;

    use super::*;

    fn head(uri: &str, fields: &[(&str, &str)]) -> request::Parts {
        let mut request = Request::get(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn found(place: &Place, head: &request::Parts) -> Option<String> {
        place.find(head).map(|found| String::from_utf8(found.into_owned()).unwrap())
    }

    #[test]
    fn a_bearer_token_follows_its_scheme_in_any_case() {
        let of = |value| found(&Place::BEARER, &head("/", &[("authorization", value)]));
        assert_eq!(of("Bearer abc"), Some("abc".into()));
        assert_eq!(of("bearer   abc "), Some("abc".into()));
        assert_eq!(of("Bearer "), Some(String::new()));
        for other in ["Bearerabc", "Basic abc", "Bearer", "Bear", ""] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_credential_is_found_in_a_field_a_cookie_and_a_parameter() {
        let head = head("/x?a=1&key=k%31", &[("x-api-key", "k2"), ("cookie", "b=1; key=k3")]);
        assert_eq!(found(&Place::Header("x-api-key".parse().unwrap()), &head), Some("k2".into()));
        assert_eq!(found(&Place::Cookie("key".into()), &head), Some("k3".into()));
        assert_eq!(found(&Place::Query("key".into()), &head), Some("k1".into()));
        assert_eq!(found(&Place::Query("b".into()), &head), None);
    }

    #[test]
    fn what_is_taken_off_leaves_all_else() {
        let mut head = head(
            "/x?a=1&key=k&b=2&key=l",
            &[
                ("x-api-key", "k"),
                ("x-api-key", "l"),
                ("cookie", "a=1; key=k; b=2"),
                ("cookie", "key=l"),
                ("authorization", "Bearer t"),
            ],
        );
        for place in [
            Place::Header("x-api-key".parse().unwrap()),
            Place::Cookie("key".into()),
            Place::Query("key".into()),
            Place::BEARER,
        ] {
            place.take_off(&mut head);
            assert_eq!(place.find(&head), None, "{place:?}");
        }
        assert_eq!(head.uri, "/x?a=1&b=2");
        assert_eq!(head.headers.get(COOKIE).unwrap(), "a=1; b=2");
        assert_eq!(head.headers.len(), 1);
    }

    #[test]
    fn the_last_cookie_and_the_last_parameter_leave_nothing_behind() {
        let mut head = head("/x?key=k", &[("cookie", "key=k")]);
        Place::Cookie("key".into()).take_off(&mut head);
        Place::Query("key".into()).take_off(&mut head);
        assert_eq!((head.uri.to_string(), head.headers.len()), ("/x".into(), 0));
    }

    #[test]
    fn another_scheme_stays() {
        let mut head = head("/", &[("authorization", "Basic abc")]);
        Place::BEARER.take_off(&mut head);
        assert!(head.headers.contains_key(AUTHORIZATION));
    }
}
