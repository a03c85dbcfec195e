//! The check by the gRPC health protocol, version 1 (`grpc.health.v1.Health/Check`).
//!
//! Its two messages are so small that they are written and read by hand:
//! `HealthCheckRequest { string service = 1; }` and `HealthCheckResponse { ServingStatus status = 1; }`,
//! each after gRPC's prefix of a flag and a length (gRPC over HTTP/2, "Length-Prefixed-Message").

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, request};
use tidegate_core::plan;

use super::words::{NO_HOST, told};
use crate::upstream::fetch::Fetch;

const PATH: &str = "/grpc.health.v1.Health/Check";
/// A flag and a length of four bytes.
const PREFIX: usize = 5;
/// Far more than the answer's message has.
const READ: usize = 1024;
/// Field 1 of wire type 2 (bytes), and of wire type 0 (varint).
const SERVICE: u8 = 0x0a;
const STATUS: u64 = 0x08;

/// A request for the health of a service.
#[derive(Debug)]
pub struct GrpcCheck {
    head: request::Parts,
    host: Option<HeaderValue>,
    message: Bytes,
}

impl GrpcCheck {
    /// What `plan` asks for; nothing if it has mistakes.
    pub fn build(plan: &plan::HealthGrpc) -> Option<Self> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(PATH)
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .header(USER_AGENT, "tidegate-health")
            .body(());
        let host = plan.host.as_ref().map(HeaderValue::try_from).transpose().ok()?;
        Some(Self { head: request.ok()?.into_parts().0, host, message: ask_for(&plan.service) })
    }

    /// Check once.
    ///
    /// # Errors
    /// How it failed, for people.
    pub async fn run(&self, fetch: &Fetch<'_>) -> Result<(), String> {
        let mut head = self.head.clone();
        head.headers.insert(HOST, fetch.host(self.host.as_ref()).ok_or(NO_HOST)?);
        let mut fetched = fetch.send(&head, &self.message, true).await.map_err(told)?;
        if fetched.head.status != StatusCode::OK {
            return Err(format!("status {}", fetched.head.status.as_u16()));
        }
        let content = fetched.read(READ, READ).await.map_err(told)?;
        // An answer without content may give its status in its header.
        let status = grpc_status(&content.trailers).or_else(|| grpc_status(&fetched.head.headers));
        match status {
            Some(0) => {}
            Some(5) => return Err("the endpoint does not know the service".into()),
            Some(12) => return Err("the endpoint does not speak the health protocol".into()),
            Some(code) => return Err(format!("gRPC status {code}")),
            None => return Err("an answer without a gRPC status".into()),
        }
        match serving_status(&content.start) {
            Some(1) => Ok(()),
            Some(2) => Err("NOT_SERVING".into()),
            Some(3) => Err("SERVICE_UNKNOWN".into()),
            Some(_) => Err("UNKNOWN".into()),
            None => Err("an answer that is no HealthCheckResponse".into()),
        }
    }
}

/// A `HealthCheckRequest` with its prefix.
fn ask_for(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(SERVICE);
        let mut length = service.len();
        while length > 0x7f {
            message.put_u8(length as u8 | 0x80);
            length >>= 7;
        }
        message.put_u8(length as u8);
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(&message);
    framed.freeze()
}

/// The status in a `HealthCheckResponse` with its prefix; `None` if it is none, or compressed.
fn serving_status(framed: &[u8]) -> Option<u64> {
    let (&[flag, a, b, c, d], rest) = framed.split_first_chunk::<PREFIX>()?;
    let mut message = rest.get(..u32::from_be_bytes([a, b, c, d]) as usize)?;
    let mut status = 0; // what is left out has its default
    while flag == 0 && !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => {
                let value = varint(&mut message)?;
                status = if tag == STATUS { value } else { status };
            }
            1 => message = message.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            5 => message = message.get(4..)?,
            _ => return None,
        }
    }
    (flag == 0).then_some(status)
}

/// A number in groups of seven bits, the lowest first (protobuf's encoding guide, "Base 128 Varints").
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn grpc_status(fields: &HeaderMap) -> Option<u32> {
    fields.get("grpc-status")?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_names_its_service() {
        assert_eq!(&ask_for("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&ask_for("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = ask_for(&"x".repeat(200));
        assert_eq!(&long[..8], [0, 0, 0, 0, 203, 0x0a, 0xc8, 0x01]);
    }

    #[test]
    fn the_status_of_an_answer_is_read() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 0x08, 1]), Some(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 0x08, 2]), Some(2));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0), "UNKNOWN is the default");
        let with_others = [0, 0, 0, 0, 7, 0x12, 1, b'x', 0x08, 1, 0x18, 9];
        assert_eq!(serving_status(&with_others), Some(1), "unknown fields are passed over");
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        for bad in [&[][..], &[0, 0, 0], &[0, 0, 0, 0, 2, 0x08], &[1, 0, 0, 0, 2, 0x08, 1]] {
            assert_eq!(serving_status(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            serving_status(&bytes);
        }
    }
}
