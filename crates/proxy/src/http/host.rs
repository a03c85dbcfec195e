//! The host that a request names, in `Host`, `:authority` or its target.

/// Whether this is `uri-host [ ":" port ]` (RFC 9110 §7.2); an empty one is allowed.
pub fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !host[colon..].contains(&b']') => (&host[..colon], &host[colon + 1..]),
        _ => (host, &b""[..]),
    };
    let literal = name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let well_named = match literal {
        Some(address) => {
            !address.is_empty()
                && address.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
        }
        None => name.iter().copied().all(is_of_name),
    };
    well_named && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

/// Whether it names no host, though it may have a port (RFC 9110 §4.2.1).
pub fn is_empty(host: &[u8]) -> bool {
    matches!(host, [] | [b':', ..])
}

/// Whether a registered name may have it: `unreserved`, `sub-delims` or a part of `pct-encoded` (RFC 3986 §3.2.2).
fn is_of_name(byte: u8) -> bool {
    let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    // A match and not a search in a list, because each byte of each request's host is looked at.
    unreserved || matches!(byte, b'%' | b'!' | b'$' | b'&'..=b',' | b';' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_no_host() {
        assert!(is_empty(b"") && is_empty(b":80") && !is_empty(b"[::1]:80"));
    }

    #[test]
    fn hosts_are_names_and_addresses_with_or_without_a_port() {
        for good in ["", "a", "a.example:80", "[::1]", "[::1]:8080", "127.0.0.1:1", "a:"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a/b", "a@b", "a b", "a:b", "[::1", "::1", "a:1:2", "a?", "a#", "[]", "a:123456",
            "a\\b",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
