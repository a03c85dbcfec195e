//! The method PURGE, by which a client has what is stored of a URL purged. No RFC has it: it came with Squid, and Varnish,
//! nginx and Fastly know it too.

use std::net::IpAddr;

use http::{HeaderMap, Method, request};
use subtle::ConstantTimeEq;

use crate::access::Networks;
use crate::auth::Place;
use crate::plan::{self, Secret};

/// The field that asks for what is purged to be stale, not gone. Fastly has introduced it.
const SOFT: &str = "fastly-soft-purge";

/// Which clients may purge what is stored of a URL: those in a network of these, and those with the token.
#[derive(Debug)]
pub struct PurgeRule {
    from: Option<Networks>,
    token: Option<Secret>,
}

impl PurgeRule {
    /// Reads the options of a route's cache; `None` where it lets no client do so.
    pub fn build(wanted: &plan::RouteCache) -> Option<Self> {
        let allow = wanted.purge_from.clone();
        let from = (!allow.is_empty()).then(|| Networks::of(allow));
        let token = wanted.purge_token_file.clone();
        (from.is_some() || token.is_some()).then_some(Self { from, token })
    }

    /// Whether the client at `address` may purge by this request.
    pub fn lets(&self, address: Option<IpAddr>, request: &request::Parts) -> bool {
        let is_from = |networks: &Networks| networks.check(address).is_ok();
        self.from.as_ref().is_some_and(is_from) || self.has_token(request)
    }

    fn has_token(&self, request: &request::Parts) -> bool {
        let (Some(token), Some(shown)) = (&self.token, Place::BEARER.find(request)) else {
            return false;
        };
        shown.ct_eq(token.expose().as_bytes()).into()
    }
}

/// Whether this is the method PURGE.
pub fn is_purge(method: &Method) -> bool {
    method.as_str() == "PURGE"
}

/// Whether what a request with these fields purges is to be stale, not gone.
pub fn is_soft_purge(headers: &HeaderMap) -> bool {
    headers.get(SOFT).is_some_and(|value| value == "1")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;
    use crate::cache::tests::wanted;

    const TOKEN: &str = "0123456789abcdef";

    fn rule(from: &[&str], token: Option<&str>) -> Option<PurgeRule> {
        let mut wanted = wanted();
        wanted.purge_from = serde_json::from_value(json!(from)).unwrap();
        wanted.purge_token_file = token.map(Secret::from);
        PurgeRule::build(&wanted)
    }

    fn lets(rule: &PurgeRule, address: Option<&str>, authorization: &str) -> bool {
        let request = Request::builder().method("PURGE").uri("/a");
        let request = request.header("authorization", authorization).body(()).unwrap();
        rule.lets(address.map(|text| text.parse().unwrap()), &request.into_parts().0)
    }

    #[test]
    fn it_is_off_where_no_option_lets_any_client() {
        assert!(rule(&[], None).is_none());
    }

    #[test]
    fn a_client_purges_from_a_network_or_with_the_token() {
        let (right, wrong) = (format!("Bearer {TOKEN}"), "Bearer 0123456789abcdeX");
        let both = rule(&["10.0.0.0/8", "::1/128"], Some(TOKEN)).unwrap();
        for (address, authorization, is_let) in [
            (Some("10.1.2.3"), "", true),
            (Some("::ffff:10.1.2.3"), wrong, true),
            (Some("::1"), "", true),
            (Some("192.0.2.1"), "", false),
            (Some("192.0.2.1"), wrong, false),
            (Some("192.0.2.1"), TOKEN, false),
            (Some("192.0.2.1"), &right, true),
            (None, "", false),
            (None, &right, true),
        ] {
            assert_eq!(lets(&both, address, authorization), is_let, "{address:?} {authorization}");
        }
    }

    #[test]
    fn an_option_that_is_not_given_lets_no_client() {
        let by_token = rule(&[], Some(TOKEN)).unwrap();
        assert!(!lets(&by_token, Some("127.0.0.1"), "Bearer "));
        let by_network = rule(&["127.0.0.0/8"], None).unwrap();
        assert!(!lets(&by_network, Some("192.0.2.1"), "Bearer "));
    }

    #[test]
    fn a_purge_is_soft_where_the_field_says_so() {
        let fields = |value: &'static str| {
            HeaderMap::from_iter([(SOFT.parse().unwrap(), value.parse().unwrap())])
        };
        assert!(is_soft_purge(&fields("1")));
        assert!(!is_soft_purge(&fields("0")) && !is_soft_purge(&HeaderMap::new()));
    }
}
