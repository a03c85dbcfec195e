//! Fields by which a proxy tells what it knows of its client, and which any client can write.

use std::net::{IpAddr, SocketAddr};

use super::spelling::is_spelling;

/// Besides these, all that begin with [`PREFIX`].
const NAMES: [&str; 12] = [
    "client-cert",
    "client-cert-chain",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
const PREFIX: &str = "x-forwarded-";

/// Whether every gateway takes this field, named in lower case, off the requests of clients that it does not trust.
#[inline]
pub fn is_forwarding(name: &str) -> bool {
    // Hardly any field begins like one of them.
    matches!(name.as_bytes(), [b'f' | b't' | b'x', ..] | [b'c', b'l', ..]) && is_known(name)
}

fn is_known(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| is_spelling(start, PREFIX))
        || NAMES.iter().any(|known| is_spelling(name, known))
}

/// The forwarding fields of a listener: those of [`is_forwarding`], and what was added to them.
#[derive(Debug, Clone, Default)]
pub struct ForwardingFields {
    added: Vec<String>,
}

impl ForwardingFields {
    /// Those that every gateway knows, and `added`.
    pub fn new(added: &[String]) -> Self {
        Self {
            added: added.iter().map(|name| name.to_ascii_lowercase().replace('_', "-")).collect(),
        }
    }

    /// Whether the field of this name, in lower case, is one of them.
    #[inline]
    pub fn has(&self, name: &str) -> bool {
        is_forwarding(name) || self.added.iter().any(|added| is_spelling(name, added))
    }
}

/// Whether an element of `X-Forwarded-For` tells of no one: it is empty (RFC 9110 §5.6.1), or `unknown`, as proxies
/// write for a peer without an address (RFC 7239 §6.2).
pub fn is_void(element: &[u8]) -> bool {
    let element = element.trim_ascii();
    element.is_empty() || element.eq_ignore_ascii_case(b"unknown")
}

/// The address in an element of `X-Forwarded-For`, which some proxies write with a port, or in brackets or quotes;
/// nothing where it is none.
pub fn address(element: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(element).ok()?.trim().trim_matches('"');
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let address = text.parse::<IpAddr>().ok().or_else(bracketed);
    let address =
        address.or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_fields_are_known_in_every_spelling() {
        let fields = ForwardingFields::new(&["CF_Connecting-IP".into()]);
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_for",
            "x-forwarded_tls-client-cert",
            "x-real-ip",
            "x_real_ip",
            "x-original-url",
            "client-cert",
            "client_cert-chain",
            "cf-connecting-ip",
            "cf_connecting_ip",
        ] {
            assert!(fields.has(name), "{name}");
        }
        for name in
            ["", "x-forwarded", "x-real-ip2", "x-request-id", "from", "te", "host", "x", "client"]
        {
            assert!(!fields.has(name), "{name}");
        }
    }

    #[test]
    fn an_address_is_read_however_it_is_written() {
        for (element, canonical) in [
            ("203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7:51234\t", "203.0.113.7"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:cb00:7107]:1", "203.0.113.7"),
        ] {
            let expected = canonical.parse().unwrap();
            assert_eq!(address(element.as_bytes()), Some(expected), "{element:?}");
        }
        for (element, void) in [("", true), (" ", true), (" Unknown", true), ("_hidden", false)] {
            assert_eq!(is_void(element.as_bytes()), void, "{element:?}");
        }
        for element in
            ["", " ", "unknown", "_hidden", "a.example", "[203.0.113.7]", "1.2.3", "[::1]:x"]
        {
            assert_eq!(address(element.as_bytes()), None, "{element:?}");
        }
    }
}
