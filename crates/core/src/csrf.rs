//! CSRF: requests that a page of another origin makes a browser send, with the cookies that it has for the host.
//!
//! No token is needed: browsers say of each request where it comes from, in `Sec-Fetch-Site` (Fetch Metadata) to hosts
//! by TLS, and in `Origin` of all that can change something. What says neither is no browser of the last years, and has
//! no cookies of a person. It is the way of Go's `http.CrossOriginProtection` (Filippo Valsorda, "Cross-Site Request
//! Forgery", 2025).

use http::header::{COOKIE, ORIGIN};
use http::{HeaderName, Method, request};

use crate::auth::Place;
use crate::message::web_origin::{WebOrigins, is_of_host};
use crate::plan;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What refuses requests that come from pages of other origins.
#[derive(Debug, Clone)]
pub struct Csrf {
    trusted: WebOrigins,
}

/// A request, as far as it matters.
pub struct Asked<'a> {
    /// Its head.
    pub head: &'a request::Parts,
    /// Whether a page of another origin can have it sent with the credential that proved where it comes from; `None`: nothing
    /// is proven, and what browsers send on their own counts.
    pub is_ambient: Option<bool>,
    /// Whether its client showed a certificate.
    pub has_certificate: bool,
    /// Whether it asks for another protocol: a WebSocket can be written to as well, though it begins with `GET`.
    pub is_upgrade: bool,
    /// The scheme that the client used.
    pub scheme: &'a str,
    /// The authority that it asks for.
    pub host: &'a str,
}

/// What told that a request comes from a page of another origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrossOrigin {
    /// `Sec-Fetch-Site`.
    SecFetchSite,
    /// `Origin`.
    Origin,
}

impl CrossOrigin {
    /// In words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::SecFetchSite => "Sec-Fetch-Site tells of another origin",
            Self::Origin => "Origin is another one",
        }
    }
}

impl Csrf {
    /// What the option `wanted` asks for.
    pub fn new(wanted: &plan::Csrf) -> Self {
        Self { trusted: WebOrigins::new(&wanted.trusted_origins) }
    }

    /// Let a request go, unless it may be authenticated by what a browser sends on its own, and a page of an origin that
    /// is not trusted had it sent.
    ///
    /// # Errors
    /// What tells that one had.
    pub fn check(&self, asked: &Asked<'_>) -> Result<(), CrossOrigin> {
        let fields = &asked.head.headers;
        let can_be_forged = asked.is_ambient.unwrap_or_else(|| {
            let password = Place::BASIC.find(asked.head).is_some();
            fields.contains_key(COOKIE) || password || asked.has_certificate
        });
        if !can_be_forged || (is_safe(&asked.head.method) && !asked.is_upgrade) {
            return Ok(());
        }
        let origin = fields.get(ORIGIN).map(|origin| origin.as_bytes());
        let told = match fields.get(SEC_FETCH_SITE).map(|site| site.as_bytes()) {
            Some(b"same-origin" | b"none") => return Ok(()),
            Some(_) => CrossOrigin::SecFetchSite,
            None => match origin {
                None => return Ok(()),
                Some(own) if is_of_host(own, asked.scheme, asked.host.as_bytes()) => return Ok(()),
                Some(_) => CrossOrigin::Origin,
            },
        };
        match origin.is_some_and(|origin| self.trusted.contains(origin)) {
            true => Ok(()),
            false => Err(told),
        }
    }
}

/// Whether requests of this method change nothing (RFC 9110 §9.2.1).
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::Request;

    use super::*;

    const OTHER: (&str, &str) = ("origin", "https://evil.example");

    /// A request to `https://shop.example` with this head, of which nothing is proven.
    fn asked(head: &request::Parts) -> Asked<'_> {
        let (scheme, host) = ("https", "shop.example");
        Asked { head, is_ambient: None, has_certificate: false, is_upgrade: false, scheme, host }
    }

    /// Whether a request to `https://shop.example` with a cookie and these fields is let go.
    fn goes(method: &str, fields: &[(&str, &str)]) -> bool {
        checked(method, fields, false).is_ok()
    }

    fn checked(method: &str, fields: &[(&str, &str)], is_upgrade: bool) -> Result<(), CrossOrigin> {
        let mut request = Request::builder().method(method).uri("/").header(COOKIE, "session=1");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let trusted_origins = vec!["https://pay.example".into()];
        let csrf = Csrf::new(&plan::Csrf { trusted_origins });
        csrf.check(&Asked { is_upgrade, ..asked(&head) })
    }

    #[test]
    fn pages_of_the_host_itself_and_of_trusted_origins_may() {
        for fields in [
            &[("sec-fetch-site", "same-origin")] as &[_],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://shop.example")],
            &[("origin", "https://shop.example:443")],
            &[("origin", "https://pay.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://pay.example")],
        ] {
            assert!(goes("POST", fields), "{fields:?}");
        }
    }

    #[test]
    fn pages_of_other_origins_may_not() {
        for fields in [
            &[("sec-fetch-site", "cross-site")] as &[_],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "anything")],
            &[("sec-fetch-site", "cross-site"), OTHER],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")],
            &[OTHER],
            &[("origin", "null")],
            &[("origin", "http://shop.example")],
            &[("origin", "https://shop.example:8443")],
            &[("origin", "https://shop.example.evil.example")],
        ] {
            assert!(!goes("POST", fields), "{fields:?}");
        }
    }

    #[test]
    fn what_told_is_told() {
        assert_eq!(checked("POST", &[OTHER], false), Err(CrossOrigin::Origin));
        let site = [("sec-fetch-site", "cross-site"), OTHER];
        assert_eq!(checked("POST", &site, false), Err(CrossOrigin::SecFetchSite));
    }

    #[test]
    fn every_method_that_may_change_something_is_looked_at() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE"] {
            assert!(!goes(method, &[OTHER]), "{method}");
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            assert!(goes(method, &[OTHER]), "{method}");
        }
    }

    #[test]
    fn a_websocket_is_no_safe_request() {
        assert!(checked("GET", &[OTHER], true).is_err());
        assert!(checked("GET", &[("origin", "https://shop.example")], true).is_ok());
    }

    #[test]
    fn what_tells_neither_field_is_no_browser() {
        assert!(goes("POST", &[]));
    }

    #[test]
    fn without_a_cookie_there_is_nothing_to_forge() {
        let head = Request::post("/").header(ORIGIN, OTHER.1).body(()).unwrap().into_parts().0;
        let csrf = Csrf::new(&plan::Csrf { trusted_origins: Vec::new() });
        assert_eq!(csrf.check(&asked(&head)), Ok(()));
        for (is_ambient, goes) in [(true, false), (false, true)] {
            let proven = Asked { is_ambient: Some(is_ambient), ..asked(&head) };
            assert_eq!(
                csrf.check(&proven).is_ok(),
                goes,
                "by a credential that is ambient: {is_ambient}"
            );
        }
    }

    #[test]
    fn a_password_or_a_certificate_that_browsers_send_counts_like_a_cookie() {
        let csrf = Csrf::new(&plan::Csrf { trusted_origins: Vec::new() });
        let head = Request::post("/").header(ORIGIN, OTHER.1).header("authorization", "Basic eDp5");
        let head = head.body(()).unwrap().into_parts().0;
        assert!(csrf.check(&asked(&head)).is_err());
        let head = Request::post("/").header(ORIGIN, OTHER.1).body(()).unwrap().into_parts().0;
        assert!(csrf.check(&Asked { has_certificate: true, ..asked(&head) }).is_err());
    }

    #[test]
    fn a_credential_that_no_browser_sends_on_its_own_makes_a_cookie_harmless() {
        let head = Request::post("/").header(ORIGIN, OTHER.1).header(COOKIE, "a=1");
        let head = head.body(()).unwrap().into_parts().0;
        let csrf = Csrf::new(&plan::Csrf { trusted_origins: Vec::new() });
        assert!(csrf.check(&asked(&head)).is_err());
        assert_eq!(csrf.check(&Asked { is_ambient: Some(false), ..asked(&head) }), Ok(()));
    }
}
