//! Reading a request's head (RFC 9112 §3).

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{HOST, HeaderMap, TE};
use http::{HeaderValue, Method, Request, Version, request};
use tidegate_core::message::Malformed;
use tidegate_core::message::authority::{is_host, names_host};
use tidegate_core::message::head_fields::HeadFields;
use tidegate_core::message::head_rules::HeadRules;

use super::fields::{self, Control};
use super::framing::Decoder;
use super::target;
use crate::http::ADDED_FIELDS;

/// Fields up to this number are parsed on the stack.
const USUAL_FIELDS: usize = 100;

/// A request's head.
#[derive(Debug)]
pub struct RequestHead {
    /// Method, path and query, version, end-to-end fields.
    pub parts: request::Parts,
    /// How the message and its connection are to be handled.
    pub control: Control,
    /// What reads the body.
    pub decoder: Decoder,
}

/// Take a head out of `buf`, or nothing while it is incomplete. One that is malformed stays there.
///
/// It is boxed: it is large, and would be copied by each function that it goes through.
pub fn read(
    buf: &mut BytesMut,
    scanned: &mut usize,
    rules: HeadRules<'_>,
) -> Result<Option<Box<RequestHead>>, Malformed> {
    let limits = rules.limits;
    // RFC 9112 §2.2: empty lines before the request line are skipped.
    while *scanned < 2 && buf.starts_with(b"\r\n") {
        buf.advance(2);
        *scanned = 0;
    }
    let end = match fields::section_end(buf, scanned)? {
        Some(end) if end <= limits.bytes => end,
        None if buf.len() < limits.bytes => return Ok(None),
        _ if memchr::memchr(b'\n', buf).is_none_or(|line| line > limits.target + 32) => {
            return Err(Malformed::UriTooLong);
        }
        _ => return Err(Malformed::HeaderTooLarge),
    };
    *scanned = 0;
    let head = buf.split_to(end).freeze();
    parse(&head, rules).map(Some).inspect_err(|_| {
        let rest = std::mem::replace(buf, BytesMut::from(&head[..]));
        buf.unsplit(rest);
    })
}

/// RFC 9110 §2.5: a later minor version than ours is read as ours.
fn of_later_minor(head: &[u8]) -> Option<Bytes> {
    let line = memchr::memchr(b'\r', head)?;
    match &head[..line] {
        [.., b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => {
            let mut head = BytesMut::from(head);
            head[line - 1] = b'1';
            Some(head.freeze())
        }
        _ => None,
    }
}

fn parse(head: &Bytes, rules: HeadRules<'_>) -> Result<Box<RequestHead>, Malformed> {
    let limits = rules.limits;
    let mut usual = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    let mut many = Vec::new();
    let space = match limits.fields {
        0..=USUAL_FIELDS => &mut usual[..limits.fields],
        more => {
            many.resize_with(more, MaybeUninit::uninit);
            &mut many[..]
        }
    };
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, space) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::HeaderTooLarge),
        Err(httparse::Error::Version) => {
            return match of_later_minor(head) {
                Some(head) => parse(&head, rules),
                None => Err(version_error(head)),
            };
        }
        _ => return Err(Malformed::Syntax),
    }
    let (Some(method), Some(path), Some(minor_version)) =
        (parsed.method, parsed.path, parsed.version)
    else {
        return Err(Malformed::Syntax);
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Malformed::Syntax)?;
    let target = target::parse(&method, head.slice_ref(path.as_bytes()), limits.target)?;
    let judged = HeadFields::of_request(rules.taken_off);
    let (mut headers, mut control) = fields::sort(head, parsed.headers, judged, ADDED_FIELDS)?;
    let names_one = check_host(&headers, &control, minor_version)?;
    match target.authority {
        Some(authority) => _ = headers.insert(HOST, authority),
        None if method == Method::CONNECT || names_one => {}
        // HTTP/1.0 may leave it out, and an empty one says no more.
        None if minor_version == 0 => _ = headers.remove(HOST),
        None => return Err(Malformed::Syntax),
    }
    // RFC 9110 §7.8: in an HTTP/1.0 request it is ignored.
    let may_upgrade = minor_version > 0 && control.names_upgrade;
    control.upgrade = control.upgrade.filter(|to| may_upgrade && fields::may_upgrade(to));
    if control.te_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    let decoder = match (control.chunked, control.content_length) {
        // RFC 9112 §6.1: a 1.0 message with a transfer coding has faulty framing.
        (true, _) if minor_version == 0 => return Err(Malformed::Syntax),
        (true, _) => Decoder::chunked(),
        (false, Some(length)) => Decoder::length(length),
        (false, None) => Decoder::Done,
    };
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method;
    parts.uri = target.uri;
    parts.version = if minor_version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = headers;
    Ok(Box::new(RequestHead { parts, control, decoder }))
}

/// RFC 9112 §3.2: HTTP/1.1 needs exactly one `Host`, and any must be well formed. Answers whether it names a host.
fn check_host(headers: &HeaderMap, control: &Control, minor: u8) -> Result<bool, Malformed> {
    let enough = control.hosts == 1 || (control.hosts == 0 && minor == 0);
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let names_one = host.is_some_and(names_host);
    let well_formed = names_one || host.is_none_or(is_host);
    if enough && well_formed { Ok(names_one) } else { Err(Malformed::Syntax) }
}

/// `HTTP/2.0` and the like are well formed, and of a version that is not spoken here.
fn version_error(head: &[u8]) -> Malformed {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() && *major != b'1' =>
        {
            Malformed::Version
        }
        _ => Malformed::Syntax,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;
    use tidegate_core::message::head_rules::HeadLimits;

    use super::*;

    const RULES: HeadRules<'_> =
        HeadRules { limits: HeadLimits { bytes: 4096, fields: 20, target: 200 }, taken_off: None };

    fn head(wire: &[u8]) -> Result<Option<Box<RequestHead>>, Malformed> {
        read(&mut BytesMut::from(wire), &mut 0, RULES)
    }

    fn read_head(wire: &str) -> Box<RequestHead> {
        head(wire.as_bytes()).expect(wire).expect(wire)
    }

    fn error(wire: &str) -> Malformed {
        head(wire.as_bytes()).expect_err(wire)
    }

    #[test]
    fn a_request_is_read_however_it_arrives() {
        let wire =
            b"\r\nPOST /x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-A: b \r\n\r\nabc";
        let (mut buf, mut scanned) = (BytesMut::new(), 0);
        let mut found = None;
        for byte in wire {
            buf.extend_from_slice(&[*byte]);
            if found.is_none() {
                found = read(&mut buf, &mut scanned, RULES).unwrap();
            }
        }
        let head = found.unwrap();
        assert_eq!(
            (head.parts.method, head.parts.uri.to_string()),
            (Method::POST, "/x?y=1".into())
        );
        assert_eq!(head.parts.headers["x-a"], "b");
        assert_eq!(head.decoder.remaining(), Some(3));
        assert_eq!(&buf[..], b"abc");
    }

    #[test]
    fn framing_that_two_parsers_could_read_differently_is_refused() {
        for fields in [
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Content-Length: 3\r\nContent-Length: 3",
            "Content-Length: 3, 3",
            "Content-Length: +3",
            "Content-Length: ",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding:\r\n chunked",
            "X: a\nTransfer-Encoding: chunked",
            "X: a\rb",
            "X: a\0b",
            " X: a",
            "X\0: a",
            "X",
            ": a",
        ] {
            let wire = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
            assert_eq!(error(&wire), Malformed::Syntax, "{fields:?}");
        }
        assert_eq!(
            error("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Malformed::Syntax
        );
    }

    #[test]
    fn a_coding_that_is_not_carried_out_is_told_apart_from_nonsense() {
        let wire = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
        assert_eq!(error(wire), Malformed::TransferCoding);
    }

    #[test]
    fn the_host_is_there_once_and_well_formed() {
        for fields in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: a/b\r\n",
            "Host: a b\r\n",
            "Host:\r\n",
            "Host: :80\r\n",
        ] {
            assert_eq!(error(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), Malformed::Syntax);
        }
        for wire in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost:\r\n\r\n"] {
            assert!(read_head(wire).parts.headers.is_empty(), "{wire:?}");
        }
    }

    #[test]
    fn an_empty_host_is_overruled_by_the_target() {
        let head = read_head("GET http://a:80/x HTTP/1.1\r\nHost:\r\n\r\n");
        assert_eq!(head.parts.headers[HOST], "a:80");
        let connect = read_head("CONNECT a:443 HTTP/1.1\r\nHost:\r\n\r\n");
        assert_eq!(connect.parts.method, Method::CONNECT);
    }

    #[test]
    fn a_later_minor_version_is_read_as_ours() {
        let later = read_head("GET /HTTP/1.2 HTTP/1.2\r\nHost: a\r\n\r\n");
        assert_eq!(later.parts.version, Version::HTTP_11);
        assert_eq!(later.parts.uri.path(), "/HTTP/1.2");
        assert_eq!(error("GET / HTTP/1.22\r\nHost: a\r\n\r\n"), Malformed::Syntax);
    }

    #[test]
    fn an_upgrade_is_asked_for_by_http_1_1_alone_and_never_to_what_is_between_neighbours() {
        let upgrade = |version: &str, to: &str| {
            let fields = format!("Host: a\r\nConnection: upgrade\r\nUpgrade: {to}\r\n");
            read_head(&format!("GET / {version}\r\n{fields}\r\n")).control.upgrade
        };
        assert_eq!(upgrade("HTTP/1.1", "websocket").unwrap(), "websocket");
        assert_eq!(upgrade("HTTP/1.0", "websocket"), None);
        for to in ["h2c", "websocket, H2C", "TLS/1.2", "tls/1.0, HTTP/1.1"] {
            assert_eq!(upgrade("HTTP/1.1", to), None, "{to}");
        }
    }

    #[test]
    fn hop_by_hop_fields_end_here() {
        let wire = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\nUpgrade: h2c\r\nX-End: 1\r\n\r\n";
        let head = head(wire).unwrap().unwrap();
        let names: Vec<_> = head.parts.headers.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["host", "x-end"]);
        assert!(head.control.close && head.control.upgrade.is_none());
    }

    #[test]
    fn connection_cannot_take_away_what_frames_or_routes_the_message() {
        let wire = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: host, content-length\r\nContent-Length: 1\r\n\r\n";
        let head = head(wire).unwrap().unwrap();
        let headers = head.parts.headers;
        assert!(headers.contains_key(HOST) && headers.contains_key("content-length"));
    }

    #[test]
    fn each_limit_has_its_error() {
        let long = "x".repeat(300);
        assert_eq!(
            error(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
            Malformed::UriTooLong
        );
        assert_eq!(error(&format!("GET /{}", "x".repeat(5000))), Malformed::UriTooLong);
        let many = "X: a\r\n".repeat(30);
        assert_eq!(
            error(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")),
            Malformed::HeaderTooLarge
        );
        let big = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(5000));
        assert_eq!(error(&big), Malformed::HeaderTooLarge);
        assert_eq!(error("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Malformed::Version);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(wire in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = head(&wire);
        }
    }
}
