//! What the request line of a refused request tells (RFC 9112 §3).

use http::uri::PathAndQuery;
use http::{Method, Version};

use crate::http::partial_head::PartialHead;

/// Longest target that is told of; others are of no use to a reader of logs.
const MAX_TARGET: usize = 1024;

/// The parts of a request line that could be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RequestLine {
    method: Option<Method>,
    target: Option<PathAndQuery>,
    version: Option<Version>,
}

impl RequestLine {
    /// Read what came of a head as far as it makes sense.
    pub fn salvage(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let end = head.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let mut parts = head[..end.unwrap_or(head.len())].split(|byte| *byte == b' ');
        let (method, target, version) = (parts.next(), parts.next(), parts.next());
        // What nothing follows may be the beginning of more.
        let method = method.filter(|_| target.is_some()).and_then(|m| Method::from_bytes(m).ok());
        let target = target.filter(|target| {
            let is_whole = version.is_some() || end.is_some();
            method.is_some() && is_whole && target.starts_with(b"/") && target.len() <= MAX_TARGET
        });
        Self {
            target: target.and_then(|target| PathAndQuery::try_from(target).ok()),
            version: version.filter(|_| end.is_some()).and_then(spoken),
            method,
        }
    }

    /// As what is known of the request.
    pub fn known(&self) -> PartialHead<'_> {
        PartialHead {
            method: self.method.as_ref(),
            target: self.target.as_ref(),
            version: self.version,
            headers: None,
        }
    }
}

fn spoken(version: &[u8]) -> Option<Version> {
    match version {
        b"HTTP/1.0" => Some(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Some(Version::HTTP_11),
        b"HTTP/2.0" => Some(Version::HTTP_2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salvaged(head: &[u8]) -> (String, String, Option<Version>) {
        let line = RequestLine::salvage(head);
        let method = line.method.map(|method| method.to_string()).unwrap_or_default();
        let target = line.target.map(|target| target.to_string()).unwrap_or_default();
        (method, target, line.version)
    }

    #[test]
    fn what_can_be_read_is_kept() {
        let whole = ("PUT".into(), "/a?b".into(), Some(Version::HTTP_11));
        assert_eq!(salvaged(b"\r\nPUT /a?b HTTP/1.1\r\nX\x00Y: z\r\n\r\n"), whole);
        let (method, target, version) = salvaged(b"GET / HTTP/2.0\r\n");
        assert_eq!((&*method, &*target, version), ("GET", "/", Some(Version::HTTP_2)));
        let (method, target, version) = salvaged(b"GET /a b HTTP/1.1\r\n");
        assert_eq!((&*method, &*target, version), ("GET", "/a", None));
        assert_eq!(salvaged(b"GET /slow HTT"), ("GET".into(), "/slow".into(), None));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let nothing = (String::new(), String::new(), None);
        for head in [&b""[..], b"GE", b"\x16\x03\x01\x02\x00 x\r\n", b"\r\n\r\n"] {
            assert_eq!(salvaged(head), nothing, "{head:?}");
        }
        let (method, target, version) = salvaged(b"G\x00T /a HTTP/1.1\r\n");
        assert_eq!((&*method, &*target, version), ("", "", Some(Version::HTTP_11)));
        let long = [b"GET /".as_slice(), &[b'x'; 5000], b" HTTP/1.1\r\n"].concat();
        assert_eq!(salvaged(&long), ("GET".into(), String::new(), Some(Version::HTTP_11)));
        assert_eq!(salvaged(b"GET /unfinish"), ("GET".into(), String::new(), None));
    }
}
