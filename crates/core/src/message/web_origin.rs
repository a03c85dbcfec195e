//! Web origins (RFC 6454, the HTML standard): the scheme, host and port that a page comes from, as browsers write it
//! in `Origin`.

use std::collections::HashSet;

use super::authority;

/// What stands for an origin that a browser does not tell, as that of a sandboxed frame or of a local file.
pub const OPAQUE: &str = "null";

/// A set of origins, written as browsers write them: in small letters, without the scheme's default port.
#[derive(Debug, Clone, Default)]
pub struct WebOrigins {
    any: bool,
    exact: HashSet<Box<[u8]>>,
    below: Vec<Below>,
}

/// All hosts below one.
#[derive(Debug, Clone)]
struct Below {
    /// What stands before their labels: the scheme.
    before: Box<[u8]>,
    /// What stands after them: the host, and its port.
    after: Box<[u8]>,
}

impl WebOrigins {
    /// The set of these: an origin, `scheme://*.example.com` for all hosts below that one, or `*` for all.
    pub fn new(patterns: &[String]) -> Self {
        let mut origins = Self::default();
        for pattern in patterns {
            match pattern.split_once('*') {
                Some(("", "")) => origins.any = true,
                Some((before, after)) => {
                    let (before, after) = (before.as_bytes().into(), after.as_bytes().into());
                    origins.below.push(Below { before, after });
                }
                None => _ = origins.exact.insert(pattern.as_bytes().into()),
            }
        }
        origins
    }

    /// Whether all origins are in it.
    pub fn is_any(&self) -> bool {
        self.any
    }

    /// Whether `origin`, the value of a field, is in it. Compared byte by byte, as browsers compare what is sent back.
    pub fn contains(&self, origin: &[u8]) -> bool {
        let is_below = |Below { before, after }: &Below| {
            let labels =
                origin.strip_prefix(&**before).and_then(|rest| rest.strip_suffix(&**after));
            labels.is_some_and(are_labels)
        };
        self.any || self.exact.contains(origin) || self.below.iter().any(is_below)
    }
}

/// Whether this can stand before a suffix of a host: labels, and nothing that could end a host or begin a port.
fn are_labels(bytes: &[u8]) -> bool {
    let of_label = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !bytes.is_empty() && bytes.iter().all(of_label)
}

/// Whether `origin`, the value of a field, is that of this host, which is asked for by this scheme.
pub fn is_of_host(origin: &[u8], scheme: &str, host: &[u8]) -> bool {
    let rest = origin.strip_prefix(scheme.as_bytes()).and_then(|rest| rest.strip_prefix(b"://"));
    rest.is_some_and(|authority| authority::is_same(authority, host, scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(patterns: &[&str]) -> WebOrigins {
        WebOrigins::new(&patterns.iter().map(|pattern| String::from(*pattern)).collect::<Vec<_>>())
    }

    #[test]
    fn an_origin_is_its_scheme_its_host_and_its_port() {
        let set = origins(&["https://app.example.com", "http://localhost:3000"]);
        for one in ["https://app.example.com", "http://localhost:3000"] {
            assert!(set.contains(one.as_bytes()), "{one}");
        }
        for other in [
            "",
            "null",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://evil.example",
            "http://localhost",
            "https://app.example.com, https://app.example.com",
        ] {
            assert!(!set.contains(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_suffix_takes_every_host_below_it_and_nothing_that_only_ends_alike() {
        let set = origins(&["https://*.example.com", "https://*.dev.example:8443"]);
        for one in
            ["https://a.example.com", "https://a.b.example.com", "https://x_1.dev.example:8443"]
        {
            assert!(set.contains(one.as_bytes()), "{one}");
        }
        for other in [
            "https://example.com",
            "https://.example.com",
            "http://a.example.com",
            "https://evilexample.com",
            "https://evil.example/.example.com",
            "https://evil.example:1.example.com",
            "https://evil.example?.example.com",
            "https://a@b.example.com",
            "https://a.example.com:8443",
            "https://a.dev.example",
        ] {
            assert!(!set.contains(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn an_opaque_origin_is_in_a_set_that_names_it_or_takes_all() {
        for (patterns, is_in) in [(["null"], true), (["*"], true), (["https://a"], false)] {
            assert_eq!(origins(&patterns).contains(OPAQUE.as_bytes()), is_in, "{patterns:?}");
        }
    }

    #[test]
    fn an_origin_is_a_hosts_own_whatever_its_case_and_with_or_without_the_default_port() {
        for (origin, scheme, host, is_its) in [
            ("https://a.example", "https", "A.example:443", true),
            ("http://a.example:8080", "http", "a.example:8080", true),
            ("http://a.example", "https", "a.example", false),
            ("https://a.example", "http", "a.example", false),
            ("https://a.example:8443", "https", "a.example", false),
            ("https://b.a.example", "https", "a.example", false),
            ("null", "https", "a.example", false),
            ("", "https", "a.example", false),
        ] {
            let found = is_of_host(origin.as_bytes(), scheme, host.as_bytes());
            assert_eq!(found, is_its, "{origin} of {scheme}://{host}");
        }
    }
}
