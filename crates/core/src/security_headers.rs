//! Security headers: what a response tells browsers to be careful about, where the upstream does not say so itself.

use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::plan::{self, Issue};

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// The directive that says which pages may have the response in a frame.
const FRAME_ANCESTORS: &str = "frame-ancestors";

/// Fields that are added to the responses of a route.
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    /// Over TLS only: a browser ignores it otherwise (RFC 6797 §8.1), and it may not be sent (§7.2).
    hsts: Option<HeaderValue>,
    frame_ancestors: Option<HeaderValue>,
    others: Vec<(HeaderName, HeaderValue)>,
    overrides: bool,
}

impl SecurityHeaders {
    /// Reads the option `wanted`, which stands at `at`. What is wrong is added to `issues` and left out.
    pub fn build(wanted: &plan::SecurityHeaders, at: &str, issues: &mut Vec<Issue>) -> Self {
        let mut value = |option: &str, text: String| {
            let value = HeaderValue::try_from(text);
            if value.is_err() {
                let wrong = "expected a value without line breaks and control characters";
                issues.push(Issue::new(format!("{at}.{option}"), wrong));
            }
            value.ok()
        };
        let hsts = wanted.hsts.as_ref().and_then(|hsts| value("hsts", hsts_policy(hsts)));
        let frame_ancestors = wanted.frame_ancestors.as_ref().and_then(|sources| {
            let sources = if sources.is_empty() { "'none'".into() } else { sources.join(" ") };
            value("frame_ancestors", format!("{FRAME_ANCESTORS} {sources}"))
        });
        let options = wanted.content_type_options.then(|| "nosniff".into());
        let others = [
            (X_CONTENT_TYPE_OPTIONS, "content_type_options", options),
            (REFERRER_POLICY, "referrer_policy", wanted.referrer_policy.clone()),
            (OPENER_POLICY, "opener_policy", wanted.opener_policy.clone()),
            (PERMISSIONS_POLICY, "permissions_policy", wanted.permissions_policy.clone()),
        ];
        let field = |(name, option, text): (HeaderName, &str, Option<String>)| {
            Some((name, value(option, text?)?))
        };
        let others = others.into_iter().filter_map(field).collect();
        Self { hsts, frame_ancestors, others, overrides: wanted.overrides }
    }

    /// Add the fields to those of a response; `is_secure` is whether it goes over TLS.
    pub fn apply(&self, is_secure: bool, response: &mut HeaderMap) {
        for (name, value) in &self.others {
            self.set(name, value, response);
        }
        if let Some(hsts) = self.hsts.as_ref().filter(|_| is_secure) {
            self.set(&STRICT_TRANSPORT_SECURITY, hsts, response);
        }
        if let Some(policy) = &self.frame_ancestors {
            self.frame(policy, response);
        }
    }

    fn set(&self, name: &HeaderName, value: &HeaderValue, response: &mut HeaderMap) {
        if self.overrides || !response.contains_key(name) {
            response.insert(name, value.clone());
        }
    }

    /// All policies of a response hold at once, so this one stands beside those that say nothing of frames.
    /// `X-Frame-Options` says the same in an older way, and would be ignored beside it.
    fn frame(&self, policy: &HeaderValue, response: &mut HeaderMap) {
        if self.overrides {
            response.remove(X_FRAME_OPTIONS);
            remove_frame_ancestors(response);
        } else if response.contains_key(X_FRAME_OPTIONS) || says_who_may_frame(response) {
            return;
        }
        response.append(CONTENT_SECURITY_POLICY, policy.clone());
    }
}

fn hsts_policy(hsts: &plan::Hsts) -> String {
    let mut policy = format!("max-age={}", hsts.max_age.duration().as_secs());
    if hsts.include_subdomains {
        policy.push_str("; includeSubDomains");
    }
    if hsts.preload {
        policy.push_str("; preload");
    }
    policy
}

fn says_who_may_frame(response: &HeaderMap) -> bool {
    response.get_all(CONTENT_SECURITY_POLICY).iter().any(|value| {
        // A value can be a list of policies, with `,` between them.
        value.as_bytes().split(|byte| matches!(byte, b';' | b',')).any(is_frame_ancestors)
    })
}

/// Whether this is the directive `frame-ancestors`; case does not count (CSP §2.2.1).
fn is_frame_ancestors(directive: &[u8]) -> bool {
    let name = directive.trim_ascii_start().split(u8::is_ascii_whitespace).next();
    name.is_some_and(|name| name.eq_ignore_ascii_case(FRAME_ANCESTORS.as_bytes()))
}

fn remove_frame_ancestors(response: &mut HeaderMap) {
    if !says_who_may_frame(response) {
        return;
    }
    let without = |policy: &[u8]| {
        let directives = policy.split(|byte| *byte == b';');
        directives.filter(|each| !is_frame_ancestors(each)).collect::<Vec<_>>().join(&b';')
    };
    let values = response.get_all(CONTENT_SECURITY_POLICY).iter().flat_map(|value| {
        value.as_bytes().split(|byte| *byte == b',').map(without).collect::<Vec<_>>()
    });
    let left: Vec<_> = values
        .filter(|policy| !policy.trim_ascii().is_empty())
        .filter_map(|policy| HeaderValue::from_bytes(policy.trim_ascii()).ok())
        .collect();
    response.remove(CONTENT_SECURITY_POLICY);
    for policy in left {
        response.append(CONTENT_SECURITY_POLICY, policy);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn whole() -> Value {
        json!({
            "hsts": {"max_age": 31_536_000_000_u64, "include_subdomains": false, "preload": false},
            "content_type_options": true, "referrer_policy": "no-referrer", "frame_ancestors": ["'self'"],
            "opener_policy": "same-origin", "permissions_policy": "camera=()", "override": false
        })
    }

    fn built(options: Value) -> (SecurityHeaders, Vec<Issue>) {
        let mut wanted = whole();
        wanted.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let mut issues = Vec::new();
        let wanted = serde_json::from_value(wanted).unwrap();
        (SecurityHeaders::build(&wanted, "s", &mut issues), issues)
    }

    /// The fields of a response that had `upstream`.
    fn applied(options: Value, is_secure: bool, upstream: &[(&str, &str)]) -> Vec<String> {
        let mut response = HeaderMap::new();
        for (name, value) in upstream {
            response.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        built(options).0.apply(is_secure, &mut response);
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<_> = response.iter().map(line).collect();
        lines.sort();
        lines
    }

    /// What `applied` says of frames.
    fn framed(options: Value, upstream: &[(&str, &str)]) -> Vec<String> {
        let mut lines = applied(options, false, upstream);
        lines.retain(|line| line.starts_with("content-security") || line.starts_with("x-frame"));
        lines
    }

    #[test]
    fn a_response_that_says_nothing_gets_all_fields() {
        let all = [
            "content-security-policy: frame-ancestors 'self'",
            "cross-origin-opener-policy: same-origin",
            "permissions-policy: camera=()",
            "referrer-policy: no-referrer",
            "strict-transport-security: max-age=31536000",
            "x-content-type-options: nosniff",
        ];
        assert_eq!(applied(json!({}), true, &[]), all);
    }

    #[test]
    fn without_tls_there_is_no_hsts() {
        let lines = applied(json!({}), false, &[]);
        assert!(!lines.iter().any(|line| line.starts_with("strict-transport")), "{lines:?}");
    }

    #[test]
    fn what_is_turned_off_is_not_sent() {
        let off = json!({
            "hsts": null, "content_type_options": false, "referrer_policy": null, "frame_ancestors": null,
            "opener_policy": null, "permissions_policy": null
        });
        assert_eq!(applied(off, true, &[]), [""; 0]);
    }

    #[test]
    fn hsts_says_what_it_is_to_hold_for() {
        let hsts = json!({"hsts": {"max_age": 1000, "include_subdomains": true, "preload": true}});
        let lines = applied(hsts, true, &[]);
        let hsts = "strict-transport-security: max-age=1; includeSubDomains; preload";
        assert!(lines.contains(&hsts.into()), "{lines:?}");
    }

    #[test]
    fn what_the_upstream_says_stays_unless_it_is_to_be_replaced() {
        let own = [("referrer-policy", "origin"), ("referrer-policy", "unsafe-url")];
        let said = |overrides| {
            let mut lines = applied(json!({"override": overrides}), true, &own);
            lines.retain(|line| line.starts_with("referrer"));
            lines
        };
        assert_eq!(said(false), ["referrer-policy: origin", "referrer-policy: unsafe-url"]);
        assert_eq!(said(true), ["referrer-policy: no-referrer"]);
    }

    #[test]
    fn a_policy_that_says_nothing_of_frames_stands_beside_ours() {
        let own = ("content-security-policy", "default-src 'self'");
        let both = [
            "content-security-policy: default-src 'self'",
            "content-security-policy: frame-ancestors 'self'",
        ];
        assert_eq!(framed(json!({}), &[own]), both);
        assert_eq!(framed(json!({"override": true}), &[own]), both);
    }

    #[test]
    fn what_the_upstream_says_of_frames_stays_in_whichever_field() {
        for own in [
            ("content-security-policy", "default-src 'self';  Frame-Ancestors https://a.example"),
            ("content-security-policy", "default-src 'self', frame-ancestors 'none'"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(framed(json!({}), &[own]), [format!("{}: {}", own.0, own.1)]);
        }
    }

    #[test]
    fn where_it_is_replaced_the_rest_of_a_policy_stays() {
        let own = [
            ("x-frame-options", "DENY"),
            ("content-security-policy", "default-src 'self'; frame-ancestors *; img-src *"),
            ("content-security-policy", "frame-ancestors *"),
        ];
        let left = [
            "content-security-policy: default-src 'self'; img-src *",
            "content-security-policy: frame-ancestors 'none'",
        ];
        assert_eq!(framed(json!({"override": true, "frame_ancestors": []}), &own), left);
    }

    #[test]
    fn a_value_that_cannot_be_sent_is_a_mistake() {
        let (_, issues) = built(json!({"referrer_policy": "a\nb", "frame_ancestors": ["a\r\n"]}));
        let paths: Vec<_> = issues.iter().map(|issue| issue.path.as_str()).collect();
        assert_eq!(paths, ["s.frame_ancestors", "s.referrer_policy"]);
    }
}
