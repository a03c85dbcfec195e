//! The check by the gRPC health protocol, version 1 (`grpc.health.v1.Health/Check`).

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, request};
use prost::Message;
use tidegate_core::grpc::{content_type, message_frame, read_message, read_status};
use tidegate_core::plan::{self, GrpcStatus};

use super::words::{NO_HOST, told};
use crate::upstream::fetch::Fetch;

const PATH: &str = "/grpc.health.v1.Health/Check";
/// Far more than the answer's message has.
const READ: usize = 1024;
const NOT_FOUND: u8 = GrpcStatus::NotFound.number();
const UNIMPLEMENTED: u8 = GrpcStatus::Unimplemented.number();

#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    /// A `ServingStatus`.
    #[prost(int32, tag = "1")]
    status: i32,
}

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
            .header(CONTENT_TYPE, content_type::GRPC)
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
        let status = read_status(&content.trailers).or_else(|| read_status(&fetched.head.headers));
        match status {
            Some(0) => {}
            Some(NOT_FOUND) => return Err("the endpoint does not know the service".into()),
            Some(UNIMPLEMENTED) => {
                return Err("the endpoint does not speak the health protocol".into());
            }
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

/// The content that asks for the health of `service`.
fn ask_for(service: &str) -> Bytes {
    let request = HealthCheckRequest { service: service.to_owned() };
    message_frame(&request.encode_to_vec()).into()
}

/// The status in content that is a `HealthCheckResponse`; `None` if it is none, or compressed.
fn serving_status(content: &[u8]) -> Option<i32> {
    HealthCheckResponse::decode(read_message(content)?).ok().map(|response| response.status)
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
