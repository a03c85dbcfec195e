//! Hosts: how a route names them, and how a request's is read.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

/// The longest name that DNS knows, in bytes (RFC 1035 §2.3.4); a longer one matches nothing.
pub(super) const MAX_NAME: usize = 253;

/// Which hosts a route serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum HostPattern {
    /// This name.
    Exact(Box<str>),
    /// Every name that ends in a dot and this suffix, over any number of labels.
    Wildcard(Box<str>),
    /// Every name, and none.
    Any,
}

impl HostPattern {
    /// Reads `api.example.com` or `*.example.com`; the error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let (name, wildcard) = match lower.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (lower.as_str(), false),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        if name == "*" {
            return Err("leave `hosts` empty to serve every host".into());
        }
        if !text.is_ascii() {
            return Err(format!(
                "`{text}` has characters beyond ASCII: write its `xn--` form (RFC 5891)"
            ));
        }
        if !is_name(name) && (wildcard || !is_ipv6(name)) {
            return Err(format!(
                "`{text}` is not a host: expected a name without port like `api.example.com`, \
                 or one leading wildcard like `*.example.com`"
            ));
        }
        Ok(if wildcard { Self::Wildcard(name.into()) } else { Self::Exact(name.into()) })
    }

    /// Whether it takes `host`, as [`canonical`] gives it.
    pub(super) fn fits(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host.len() <= MAX_NAME && **name == *host,
            Self::Wildcard(suffix) => {
                host.len() <= MAX_NAME && suffixes(host).any(|s| s == &**suffix)
            }
            Self::Any => true,
        }
    }

    /// Orders patterns, the most specific first: exact, longest wildcard, any.
    pub(super) fn rank(&self) -> (u8, Reverse<usize>) {
        match self {
            Self::Exact(_) => (0, Reverse(0)),
            Self::Wildcard(suffix) => (1, Reverse(suffix.len())),
            Self::Any => (2, Reverse(0)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// What a request's host is compared as: without port and final dot, in lower case.
pub(crate) fn canonical(host: &str) -> Cow<'_, str> {
    let name = without_port(host);
    let name = name.strip_suffix('.').unwrap_or(name);
    // The fold looks at every byte without a branch, which beats stopping at the first.
    if name.bytes().fold(false, |found, byte| found | byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// `host` without its port; an IPv6 address keeps its brackets (RFC 3986 §3.2.2).
pub(crate) fn without_port(host: &str) -> &str {
    let (last, after) = if host.starts_with('[') { (b']', 1) } else { (b':', 0) };
    host.bytes().position(|byte| byte == last).map_or(host, |at| &host[..at + after])
}

/// The wildcard suffixes that take `host`, the longest first.
pub(super) fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.').filter(|(dot, _)| *dot > 0).map(|(dot, _)| &host[dot + 1..])
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        })
}

fn is_ipv6(name: &str) -> bool {
    name.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn port_case_and_final_dot_of_a_request_do_not_count() {
        for (sent, read) in [
            ("api.example.com", "api.example.com"),
            ("API.Example.com:8443", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("api.example.com.:80", "api.example.com"),
            ("[2001:DB8::1]:8080", "[2001:db8::1]"),
            ("", ""),
        ] {
            assert_eq!(canonical(sent), read);
        }
    }

    #[test]
    fn a_wildcard_takes_any_number_of_labels_but_at_least_one() {
        let pattern = HostPattern::parse("*.Example.com").unwrap();
        assert!(pattern.fits("a.example.com"));
        assert!(pattern.fits("a.b.example.com"));
        assert!(!pattern.fits("example.com"));
        assert!(!pattern.fits(".example.com"));
        assert!(!pattern.fits("badexample.com"));
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for text in [
            "", "*", "*.", "a.*.com", "*a.com", "a b", "a.com:80", "a..b", "http://a", "é.fr",
            "*.[::1]",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
        for text in ["localhost", "a_b.example", "10.0.0.1", "[::1]", "*.xn--9ca.fr"] {
            assert!(HostPattern::parse(text).is_ok(), "{text}");
        }
    }
}
