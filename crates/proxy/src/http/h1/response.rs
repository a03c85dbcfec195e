//! Reading a response's head (RFC 9112 §4).

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, UPGRADE};
use http::{Method, StatusCode};
use tidegate_core::message::head_fields::HeadFields;
use tidegate_core::message::head_rules::MOST_RESPONSE_FIELDS;
use tidegate_core::message::{Malformed, content};

use super::fields::{self, Control};
use super::framing::Decoder;

/// Largest head that an endpoint may send.
const MAX_BYTES: usize = 64 * 1024;
/// Room in the field map for what the gateway adds: the name of the request, and the two fields that tell of quotas.
const ADDED_FIELDS: usize = 3;

/// A response's head.
#[derive(Debug)]
pub struct ResponseHead {
    /// Status.
    pub status: StatusCode,
    /// End-to-end fields.
    pub headers: HeaderMap,
    /// How the message and its connection are to be handled.
    pub control: Control,
    /// What reads the body.
    pub decoder: Decoder,
    /// Whether the connection can carry another request when this response is read.
    pub reusable: bool,
}

/// Take a head out of `buf`, or nothing while it is incomplete.
pub fn read(
    buf: &mut BytesMut,
    scanned: &mut usize,
    method: &Method,
) -> Result<Option<ResponseHead>, Malformed> {
    match fields::section_end(buf, scanned)? {
        Some(end) if end <= MAX_BYTES => {
            *scanned = 0;
            parse(buf.split_to(end).freeze(), method).map(Some)
        }
        None if buf.len() < MAX_BYTES => Ok(None),
        _ => Err(Malformed::HeaderTooLarge),
    }
}

fn parse(head: Bytes, method: &Method) -> Result<ResponseHead, Malformed> {
    let mut space = [const { MaybeUninit::uninit() }; MOST_RESPONSE_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, &head, &mut space) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::HeaderTooLarge),
        _ => return Err(Malformed::Syntax),
    }
    let (Some(minor_version), Some(code)) = (parsed.version, parsed.code) else {
        return Err(Malformed::Syntax);
    };
    let status = StatusCode::from_u16(code).map_err(|_| Malformed::Syntax)?;
    let judged = HeadFields::of_response();
    let (mut headers, mut control) = fields::sort(&head, parsed.headers, judged, ADDED_FIELDS)?;
    match control.upgrade.take() {
        // RFC 9110 §15.5.22: what the client is to change over to, and not this connection.
        Some(protocol) if status == StatusCode::UPGRADE_REQUIRED => {
            headers.insert(UPGRADE, protocol);
        }
        upgrade => {
            control.upgrade = upgrade.filter(|to| control.names_upgrade && fields::may_upgrade(to));
        }
    }
    let decoder = decoder(status, &control, method);
    // RFC 9112 §6.1: a 1.0 message with a transfer coding has faulty framing.
    let reusable = !control.close
        && !matches!(decoder, Decoder::UntilClose)
        && (minor_version == 1 || (control.keep_alive && !control.chunked));
    Ok(ResponseHead { status, headers, control, decoder, reusable })
}

/// RFC 9112 §6.3.
fn decoder(status: StatusCode, control: &Control, method: &Method) -> Decoder {
    match (content::is_bodiless_to(method, status), control.chunked, control.content_length) {
        (true, ..) => Decoder::Done,
        (false, true, _) => Decoder::chunked(),
        (false, false, Some(length)) => Decoder::length(length),
        (false, false, None) => Decoder::UntilClose,
    }
}
