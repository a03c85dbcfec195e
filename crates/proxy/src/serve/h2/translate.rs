//! A request over HTTP/2 as the stack reads it.

use h2::RecvStream;
use http::{HeaderMap, StatusCode, request};
use tidegate_core::failure::Failure;
use tidegate_core::message::{Malformed, pseudo};

use super::response::SendHalf;
use crate::client::Client;
use crate::http::ADDED_FIELDS;
use crate::http::body::Body;
use crate::http::failures::Failures;
use crate::http::h2::Incoming;
use crate::http::interim::Interim;

/// Bring `head` into the form that the stack reads. Returns the body of `stream`.
pub fn translate(
    client: &Client,
    head: &mut request::Parts,
    stream: RecvStream,
    send_half: &SendHalf,
) -> Result<Body, Failure> {
    head.headers.reserve(ADDED_FIELDS);
    let ends = stream.is_end_stream();
    let expects_continue =
        pseudo::request(head, ends, client.head_rules()).map_err(Malformed::of_request)?;
    if ends {
        return Ok(Body::Empty);
    }
    if expects_continue {
        send_half.send(StatusCode::CONTINUE, HeaderMap::new());
    }
    let idle = client.settings.plan.timeouts.request_body.duration();
    Ok(Body::stream(Incoming::new(stream, idle, Failures::OF_REQUEST)))
}
