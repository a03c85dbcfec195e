//! HTTP/1 heads are read the same however they arrive, and what goes on from here reads as what came.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, DATE, HOST, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use tidegate_core::message::head_rules::{HeadLimits, HeadRules};
use tidegate_core::message::{Malformed, content};

use super::cuttings;
use crate::http::body::Body;
use crate::http::h1::encode::{self, ResponseContext};
use crate::http::h1::framing::Decoder;
use crate::http::h1::request::{self, RequestHead};
use crate::http::h1::response::{self, ResponseHead};

/// Small, so that inputs reach them.
const RULES: HeadRules<'_> =
    HeadRules { limits: HeadLimits { bytes: 2048, fields: 24, target: 512 }, taken_off: None };
/// For what was read and written: a host may have moved from the target into a field.
const WIDE: HeadRules<'_> =
    HeadRules { limits: HeadLimits { bytes: 8192, fields: 32, target: 1024 }, taken_off: None };
/// Fields that end at this gateway (RFC 9110 §7.6.1).
const HOP_BY_HOP: [&str; 4] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding"];

/// A request's head.
pub fn request_head(wire: &[u8]) {
    let read = |buf: &mut BytesMut, scanned: &mut usize| request::read(buf, scanned, RULES);
    if let Some(head) = read_however_cut(wire, read) {
        check_fields(&head.parts.headers, &head.decoder);
        check_request(&head);
        check_request_written(&head);
    }
}

/// A response's head, as an answer to several methods.
pub fn response_head(wire: &[u8]) {
    for method in [Method::GET, Method::HEAD, Method::CONNECT] {
        let read = |buf: &mut BytesMut, scanned: &mut usize| response::read(buf, scanned, &method);
        if let Some(head) = read_however_cut(wire, read) {
            check_fields(&head.headers, &head.decoder);
            check_response(&head, &method);
            check_response_written(&head, &method);
        }
    }
}

/// The head, where the wire has a whole and good one.
fn read_however_cut<Head: Debug>(
    wire: &[u8],
    read: impl Fn(&mut BytesMut, &mut usize) -> Result<Option<Head>, Malformed>,
) -> Option<Head> {
    let [whole, bytewise, uneven] = cuttings(wire).map(|pieces| read_pieces(&pieces, &read));
    let seen = [&whole, &bytewise, &uneven].map(|outcome| format!("{outcome:?}"));
    assert_eq!(seen[0], seen[1], "read whole and byte by byte");
    assert_eq!(seen[0], seen[2], "read whole and in uneven pieces");
    match whole {
        Outcome::Head { head, .. } => Some(head),
        Outcome::Incomplete | Outcome::Refused => None,
    }
}

/// What came of reading. How a refused head is named may depend on what of it has come.
#[derive(Debug)]
#[allow(dead_code, reason = "compared as text, since heads cannot be compared")]
enum Outcome<Head> {
    Head { head: Head, length: usize },
    Incomplete,
    Refused,
}

fn read_pieces<Head>(
    pieces: &[&[u8]],
    read: impl Fn(&mut BytesMut, &mut usize) -> Result<Option<Head>, Malformed>,
) -> Outcome<Head> {
    let (mut buf, mut scanned, mut fed) = (BytesMut::new(), 0, 0);
    for piece in pieces {
        buf.extend_from_slice(piece);
        fed += piece.len();
        match read(&mut buf, &mut scanned) {
            Ok(Some(head)) => return Outcome::Head { head, length: fed - buf.len() },
            Ok(None) => {}
            Err(_) => return Outcome::Refused,
        }
    }
    Outcome::Incomplete
}

fn check_fields(headers: &HeaderMap, decoder: &Decoder) {
    for name in HOP_BY_HOP {
        assert!(!headers.contains_key(name), "{name} went on");
    }
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    assert!(lengths <= 1, "two lengths went on");
    if let Decoder::Chunked(_) = decoder {
        assert_eq!(lengths, 0, "a length went on beside the chunked coding");
    }
}

fn check_request(head: &RequestHead) {
    assert!(!head.parts.headers.contains_key(UPGRADE), "an upgrade went on");
    let target = head.parts.uri.to_string();
    let is_asterisk = target == "*" && head.parts.method == Method::OPTIONS;
    assert!(target.starts_with('/') || is_asterisk, "not in origin form: {target}");
    assert!(target.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'#'), "{target}");
    let hosts = head.parts.headers.get_all(HOST).iter().count();
    assert!(hosts == 1 || (hosts == 0 && head.parts.version == Version::HTTP_10), "{hosts} hosts");
}

/// What a stricter reader behind us would take apart is taken apart the same way.
fn check_request_written(head: &RequestHead) {
    if !head.parts.headers.contains_key(HOST) {
        return; // Gets the host of its endpoint.
    }
    let mut wire = Vec::new();
    let upgrade = head.control.upgrade.as_ref();
    encode::request(&head.parts, &body_for(&head.decoder), upgrade, &mut wire);
    let again = request::read(&mut BytesMut::from(&wire[..]), &mut 0, WIDE);
    let Ok(Some(again)) = again else { unreachable!("{:?}: {again:?}", Bytes::from(wire)) };
    assert_eq!(again.parts.method, head.parts.method);
    assert_eq!(again.parts.uri, head.parts.uri);
    assert_eq!(again.parts.headers, head.parts.headers);
    assert_eq!(again.control.upgrade, head.control.upgrade);
    assert_eq!(format!("{:?}", again.decoder), format!("{:?}", head.decoder));
}

fn check_response(head: &ResponseHead, method: &Method) {
    let may_name_upgrade = head.status == StatusCode::UPGRADE_REQUIRED;
    assert!(may_name_upgrade || !head.headers.contains_key(UPGRADE), "an upgrade went on");
    let bodiless = content::is_bodiless_to(method, head.status);
    assert!(!bodiless || head.decoder.is_done(), "a body where there is none");
    let ends_with_connection = matches!(head.decoder, Decoder::UntilClose);
    assert!(!(ends_with_connection && head.reusable), "the connection cannot be used again");
}

fn check_response_written(head: &ResponseHead, method: &Method) {
    let mut wire = Vec::new();
    let mut stays_open = head.reusable;
    if head.status.is_informational() {
        encode::interim(head.status, &head.headers, head.control.upgrade.as_ref(), &mut wire);
    } else {
        let date = || HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        let (version, keep_alive) = (Version::HTTP_11, head.reusable);
        let is_of_head = *method == Method::HEAD;
        let context = ResponseContext { is_of_head, version, keep_alive, date: &date };
        let is_whole = head.decoder.is_done();
        (_, stays_open) =
            encode::response(head.status, &head.headers, is_whole, &context, &mut wire);
    }
    let again = response::read(&mut BytesMut::from(&wire[..]), &mut 0, method);
    let Ok(Some(mut again)) = again else { unreachable!("{:?}: {again:?}", Bytes::from(wire)) };
    assert_eq!(again.status, head.status);
    assert_eq!(again.decoder.is_done(), head.decoder.is_done());
    if !head.status.is_informational() {
        assert_eq!(again.reusable, stays_open);
    }
    if !head.headers.contains_key(DATE) {
        again.headers.remove(DATE);
    }
    assert_eq!(again.headers, head.headers);
}

/// A body as that decoder would make one.
fn body_for(decoder: &Decoder) -> Body {
    if decoder.is_done() { Body::Empty } else { Body::full("content") }
}
