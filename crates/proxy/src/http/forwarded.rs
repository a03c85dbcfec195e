//! The client's address, and telling the upstream: `X-Forwarded-*` and `Forwarded` (RFC 7239), `Via`.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{Entry, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, VIA};
use ipnet::IpNet;
use tidegate_core::message::field::is_token;
use tidegate_core::message::forwarding::{address, is_void};
use tidegate_core::message::spelling::take_off_imitations;

/// The addresses a request came through, nearest last.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme the client used.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host the client asked for.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What upstreams are told by, and no field that a server takes for one of these.
const TOLD: [HeaderName; 4] = [FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];

/// What of a connection goes into these fields; made once for each.
#[derive(Debug)]
pub struct Peer {
    /// The peer's address; absent on Unix sockets.
    pub address: Option<IpAddr>,
    /// Whether the peer is a proxy whose word is taken.
    pub trusted: bool,
    /// `http` or `https`.
    pub scheme: &'static str,
    text: HeaderValue,
    scheme_value: HeaderValue,
}

impl Peer {
    /// The peer at `address`, judged by the listener's trusted ranges. A Unix socket is local and so trusted
    /// only where some range is.
    pub fn new(address: Option<IpAddr>, scheme: &'static str, trusted: &[IpNet]) -> Self {
        let trusted = match address {
            Some(address) => trusted.iter().any(|range| range.contains(&address)),
            None => !trusted.is_empty(),
        };
        let text = address.map_or_else(|| "unknown".into(), |address| address.to_string());
        Self {
            address,
            trusted,
            scheme,
            text: value(text),
            scheme_value: HeaderValue::from_static(scheme),
        }
    }

    /// The client's address: the peer's own, or what trusted proxies say of it: the last address in
    /// `X-Forwarded-For` that is not itself a trusted proxy's.
    pub fn client(&self, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
        if !self.trusted {
            return self.address;
        }
        let mut client = self.address;
        let mut lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
        while let Some(line) = lines.pop() {
            for entry in line.as_bytes().rsplit(|byte| *byte == b',') {
                if is_void(entry) {
                    continue;
                }
                let Some(address) = address(entry) else { return client };
                client = Some(address);
                if !trusted.iter().any(|range| range.contains(&address)) {
                    return client;
                }
            }
        }
        client
    }

    /// The scheme the client used, by the word of a trusted proxy or as seen here.
    pub fn client_scheme<'a>(&'a self, headers: &'a HeaderMap) -> &'a str {
        if !self.trusted {
            return self.scheme;
        }
        match headers.get(X_FORWARDED_PROTO).map(HeaderValue::as_bytes) {
            Some(b"https") => "https",
            Some(b"http") => "http",
            _ => self.scheme,
        }
    }

    /// Write what the upstream is told. An untrusted peer's own claims are replaced, a trusted one's continued.
    pub fn announce(&self, headers: &mut HeaderMap, element: &mut ForwardedElement) {
        let host = headers.get(HOST).cloned();
        let element = element.of(self, host.as_ref());
        if self.trusted {
            take_off_imitations(headers, &TOLD);
            // There are proxies that read `unknown` as the end of what can be known.
            if self.address.is_some() || !headers.contains_key(X_FORWARDED_FOR) {
                append(headers, X_FORWARDED_FOR, &self.text);
            }
            append(headers, FORWARDED, &element);
            headers.entry(X_FORWARDED_PROTO).or_insert_with(|| self.scheme_value.clone());
            if let Some(host) = host {
                headers.entry(X_FORWARDED_HOST).or_insert(host);
            }
            return;
        }
        headers.insert(X_FORWARDED_FOR, self.text.clone());
        headers.insert(FORWARDED, element);
        headers.insert(X_FORWARDED_PROTO, self.scheme_value.clone());
        match host {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }
}

/// The `Forwarded` element last written on a connection, kept because the next request most likely has
/// the same host.
#[derive(Debug, Default)]
pub struct ForwardedElement(Option<(Option<HeaderValue>, HeaderValue)>);

impl ForwardedElement {
    fn of(&mut self, peer: &Peer, host: Option<&HeaderValue>) -> HeaderValue {
        match &self.0 {
            Some((for_host, element)) if for_host.as_ref() == host => element.clone(),
            _ => {
                let element = element(peer, host);
                self.0 = Some((host.map(detached), element.clone()));
                element
            }
        }
    }
}

/// A copy that does not keep the request's whole head in memory.
fn detached(shared: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(shared.as_bytes()).unwrap_or_else(|_| shared.clone())
}

fn element(peer: &Peer, host: Option<&HeaderValue>) -> HeaderValue {
    let mut text = match peer.address {
        Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
        Some(IpAddr::V4(address)) => format!("for={address}"),
        None => "for=unknown".into(),
    };
    if let Some(host) = host.and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty()) {
        match is_token(host) {
            true => text.push_str(&format!(";host={host}")),
            false => text.push_str(&format!(";host=\"{host}\"")),
        }
    }
    text.push_str(";proto=");
    text.push_str(peer.scheme);
    value(text)
}

/// Add this gateway to `Via` (RFC 9110 §7.6.3).
pub fn append_via(headers: &mut HeaderMap, own: &HeaderValue) {
    append(headers, VIA, own);
}

fn append(headers: &mut HeaderMap, name: HeaderName, own: &HeaderValue) {
    match headers.entry(name) {
        Entry::Vacant(entry) => _ = entry.insert(own.clone()),
        Entry::Occupied(mut entry) => {
            let mut joined = Vec::new();
            for line in entry.iter() {
                joined.extend_from_slice(line.as_bytes());
                joined.extend_from_slice(b", ");
            }
            joined.extend_from_slice(own.as_bytes());
            entry.insert(value(joined));
        }
    }
}

/// A value of characters that were in a field before, or that this module wrote.
fn value(text: impl Into<Vec<u8>>) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text.into()))
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ranges() -> Vec<IpNet> {
        vec!["10.0.0.0/8".parse().unwrap()]
    }

    fn announced(peer: &str, fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("a.example:8080"));
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let peer = Peer::new(Some(peer.parse().unwrap()), "https", &ranges());
        peer.announce(&mut headers, &mut ForwardedElement::default());
        headers
    }

    #[test]
    fn an_untrusted_peers_claims_are_replaced() {
        let spoofed = [
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "evil"),
        ];
        let headers = announced("192.0.2.7", &spoofed);
        assert_eq!(headers[X_FORWARDED_FOR], "192.0.2.7");
        assert_eq!(headers[X_FORWARDED_PROTO], "https");
        assert_eq!(headers[X_FORWARDED_HOST], "a.example:8080");
        assert_eq!(headers[FORWARDED], "for=192.0.2.7;host=\"a.example:8080\";proto=https");
    }

    #[test]
    fn a_trusted_proxys_word_is_continued() {
        let told = [
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-proto", "http"),
        ];
        let headers = announced("10.1.1.1", &told);
        assert_eq!(headers[X_FORWARDED_FOR], "1.2.3.4, 10.1.1.1");
        assert_eq!(headers[X_FORWARDED_PROTO], "http");
        assert_eq!(
            headers[FORWARDED],
            "for=1.2.3.4, for=10.1.1.1;host=\"a.example:8080\";proto=https"
        );
    }

    #[test]
    fn what_imitates_a_trusted_proxys_word_goes_no_further() {
        let forged = [("x_forwarded_for", "6.6.6.6"), ("x-forwarded_proto", "http"), ("x_a", "1")];
        let headers = announced("10.1.1.1", &forged);
        let odd: Vec<_> = headers.keys().filter(|name| name.as_str().contains('_')).collect();
        assert_eq!(odd, ["x_a"]);
    }

    #[test]
    fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("6.6.6.6, 1.2.3.4, 10.0.0.9"));
        let client = |peer: &str| {
            Peer::new(Some(peer.parse().unwrap()), "http", &ranges()).client(&headers, &ranges())
        };
        assert_eq!(client("10.1.1.1"), Some("1.2.3.4".parse().unwrap()));
        assert_eq!(client("192.0.2.7"), Some("192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn what_is_no_text_hides_nothing_that_a_trusted_proxy_added_behind_it() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(b"\xff, 1.2.3.4").unwrap());
        let peer = Peer::new(Some("10.1.1.1".parse().unwrap()), "http", &ranges());
        assert_eq!(peer.client(&headers, &ranges()), Some("1.2.3.4".parse().unwrap()));
    }

    #[test]
    fn the_client_is_read_however_proxies_write_it() {
        for (told, client) in [
            ("1.2.3.4:51234", "1.2.3.4"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("1.2.3.4, [::ffff:10.0.0.9]:80", "1.2.3.4"),
            ("1.2.3.4, ,10.0.0.9,", "1.2.3.4"),
            ("1.2.3.4, unknown, 10.0.0.9", "1.2.3.4"),
            ("1.2.3.4, unreadable, 10.0.0.9", "10.0.0.9"),
        ] {
            let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static(told))]);
            let peer = Peer::new(Some("10.1.1.1".parse().unwrap()), "http", &ranges());
            assert_eq!(peer.client(&headers, &ranges()), Some(client.parse().unwrap()), "{told}");
        }
    }

    #[test]
    fn a_trusted_peer_without_an_address_does_not_hide_the_client_it_tells_of() {
        let peer = Peer::new(None, "http", &ranges());
        let mut headers = HeaderMap::new();
        peer.announce(&mut headers, &mut ForwardedElement::default());
        assert_eq!(headers[X_FORWARDED_FOR], "unknown");
        assert_eq!(headers[FORWARDED], "for=unknown;proto=http");
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("1.2.3.4"));
        peer.announce(&mut headers, &mut ForwardedElement::default());
        assert_eq!(headers[X_FORWARDED_FOR], "1.2.3.4");
    }

    #[test]
    fn an_ipv6_address_is_quoted() {
        assert!(
            announced("2001:db8::1", &[])[FORWARDED]
                .to_str()
                .unwrap()
                .starts_with("for=\"[2001:db8::1]\"")
        );
    }
}
