//! The host that a request is for, with its port where it has one: in `Host`, `:authority` or the target.

use std::net::Ipv6Addr;

/// Whether this is `uri-host [ ":" port ]` (RFC 9110 §7.2); an empty one is allowed.
///
/// A name with percent-encodings is none: the DNS has no such names, and readers differ in whether they decode it.
pub fn is_host(host: &[u8]) -> bool {
    let (name, port) = split(host);
    let is_name = match name {
        [b'[', address @ .., b']'] => is_ipv6(address),
        name => name.iter().copied().all(is_of_name),
    };
    is_name && is_port(port)
}

/// Whether it is one that names a host: not empty, nor a port alone (RFC 9110 §4.2.1).
pub fn names_host(host: &[u8]) -> bool {
    !matches!(host, [] | [b':', ..]) && is_host(host)
}

/// Whether two hosts are one: case does not count, nor does the port that `scheme` has by default
/// (RFC 3986 §6.2.2.1, §6.2.3).
pub fn is_same(one: &[u8], other: &[u8], scheme: &str) -> bool {
    let (name, port) = without_default_port(one, scheme);
    let (other_name, other_port) = without_default_port(other, scheme);
    name.eq_ignore_ascii_case(other_name) && port == other_port
}

/// The name and the port, which is empty where there is none or it is the one that `scheme` has by default
/// (RFC 3986 §6.2.3).
pub(crate) fn without_default_port<'a>(host: &'a [u8], scheme: &str) -> (&'a [u8], &'a [u8]) {
    let default_port: &[u8] = if scheme == "https" { b"443" } else { b"80" };
    let (name, port) = split(host);
    (name, if port == default_port { b"" } else { port })
}

/// The name and the port, which is empty where there is none.
fn split(host: &[u8]) -> (&[u8], &[u8]) {
    match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !host[colon..].contains(&b']') => (&host[..colon], &host[colon + 1..]),
        _ => (host, b""),
    }
}

fn is_ipv6(address: &[u8]) -> bool {
    str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn is_port(port: &[u8]) -> bool {
    let number = port.iter().try_fold(0_u32, |number, digit| match digit {
        b'0'..=b'9' => Some(number.saturating_mul(10).saturating_add(u32::from(digit - b'0'))),
        _ => None,
    });
    number.is_some_and(|number| number <= u32::from(u16::MAX))
}

/// Whether a registered name may have it: `unreserved` or `sub-delims` (RFC 3986 §3.2.2).
fn is_of_name(byte: u8) -> bool {
    let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    // A match and not a search in a list, because each byte of each request's host is looked at.
    unreserved || matches!(byte, b'!' | b'$' | b'&'..=b',' | b';' | b'=')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::uri::Authority;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_port_alone_names_no_host() {
        for (host, names_one) in [("", false), (":80", false), ("a", true), ("[::1]:80", true)] {
            assert_eq!(names_host(host.as_bytes()), names_one, "{host:?}");
        }
    }

    #[test]
    fn hosts_are_names_and_addresses_with_or_without_a_port() {
        for good in ["", "a", "a.example:80", "[::1]", "[::1]:8080", "127.0.0.1:1", "a:", "a:00080"]
        {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a/b",
            "a@b",
            "a b",
            "a:b",
            "[::1",
            "::1",
            "a:1:2",
            "a?",
            "a#",
            "[]",
            "[.]",
            "[1.2.3.4]",
            "a:65536",
            "a:+1",
            "a\\b",
            "a%2eb",
            "%61",
            "caf\u{e9}",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn case_and_the_default_port_make_no_other_host() {
        for (one, other, scheme) in [
            ("A.example", "a.Example", "http"),
            ("a:80", "a", "http"),
            ("a:443", "A", "https"),
            ("a:", "a", "http"),
            ("[::A]:80", "[::a]", "http"),
        ] {
            assert!(is_same(one.as_bytes(), other.as_bytes(), scheme), "{one} and {other}");
        }
        for (one, other, scheme) in [
            ("a", "b", "http"),
            ("a:80", "a", "https"),
            ("a:80", "a:8080", "http"),
            ("[::1]", "[::2]", "http"),
        ] {
            assert!(!is_same(one.as_bytes(), other.as_bytes(), scheme), "{one} and {other}");
        }
    }

    proptest! {
        #[test]
        fn what_names_a_host_can_be_written_as_an_authority_of_http_2(
            host in r"(\[[0-9a-f:.]{0,12}\]|[a-zA-Z0-9._~!$&'()*+,;=%@/ -]{0,8})(:[0-9]{0,6})?"
        ) {
            prop_assume!(names_host(host.as_bytes()));
            let authority: Authority = host.parse().unwrap();
            prop_assert_eq!(authority.as_str(), &host);
        }
    }
}
