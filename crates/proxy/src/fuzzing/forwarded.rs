//! Only the word of trusted proxies counts, and the next proxy reads what this one read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};
use ipnet::{IpNet, Ipv4Net};
use tidegate_core::message::authority::is_host;

use crate::http::forwarded::{
    ForwardedElement, Peer, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO,
};

const STRANGER: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 1, 1));
const NEXT_PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 2, 2, 2));
const CLAIMS: [HeaderName; 4] = [FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];

/// Field lines, of which those that say who the client is and which host it asked for are taken.
pub fn forwarded(lines: &[u8]) {
    let headers = fields(lines);
    let trusted: &[IpNet] = &[Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8).into()];
    check_stranger(&headers, trusted);
    check_proxy(&headers, trusted);
}

fn fields(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), line[colon + 1..].trim_ascii());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) else { continue };
        if CLAIMS.contains(&name) {
            headers.append(name, value);
        } else if name == HOST && is_host(value.as_bytes()) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Nothing of what a peer claims that is not trusted is believed or passed on.
fn check_stranger(headers: &HeaderMap, trusted: &[IpNet]) {
    let peer = Peer::new(Some(STRANGER), "http", trusted);
    assert_eq!(peer.client(headers, trusted), Some(STRANGER));
    assert_eq!(peer.client_scheme(headers), "http");
    let told = announced(&peer, headers);
    assert_eq!(told, announced(&peer, &without_claims(headers)));
    check_element(told.get(FORWARDED).and_then(|value| value.to_str().ok()).unwrap_or_default());
}

/// The client of a trusted proxy's request is the nearest that is no proxy, and stays so for the next proxy.
fn check_proxy(headers: &HeaderMap, trusted: &[IpNet]) {
    let peer = Peer::new(Some(PROXY), "https", trusted);
    let client = peer.client(headers, trusted);
    let (told, own) = (announced(&peer, headers), announced(&peer, &without_claims(headers)));
    for name in [FORWARDED, X_FORWARDED_FOR] {
        assert_eq!(told.get_all(&name).iter().count(), 1, "{name} in one line");
        let (told, own) = (told[&name].as_bytes(), own[&name].as_bytes());
        assert!(told == own || told.ends_with(&[b", ", own].concat()), "{name} ends with the peer");
    }
    let next = Peer::new(Some(NEXT_PROXY), "https", trusted);
    assert_eq!(next.client(&told, trusted), client, "the next proxy takes another for the client");
    assert_eq!(next.client_scheme(&told), peer.client_scheme(headers));
}

fn without_claims(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in CLAIMS {
        headers.remove(name);
    }
    headers
}

fn announced(peer: &Peer, headers: &HeaderMap) -> HeaderMap {
    let mut told = headers.clone();
    peer.announce(&mut told, &mut ForwardedElement::default());
    told
}

/// One `forwarded-element` (RFC 7239 §4), whatever the host is.
fn check_element(element: &str) {
    let outside_quotes: String = element.split('"').step_by(2).collect();
    let names: Vec<_> = outside_quotes.split(';').map(|pair| pair.split('=').next()).collect();
    let expected = [Some("for"), Some("host"), Some("proto")];
    assert!(names == expected || names == [expected[0], expected[2]], "{element}");
    assert!(element.matches('"').count().is_multiple_of(2) && !element.contains('\\'), "{element}");
    assert!(!outside_quotes.contains([',', ' ']), "{element}");
}
