//! A request over HTTP/2 as the stack reads it.

use h2::RecvStream;
use http::request;
use tidegate_core::failure::Failure;

use super::response::SendHalf;
use crate::client::Client;
use crate::http::body::Body;
use crate::http::failures::Failures;
use crate::http::h2::Incoming;
use crate::serve::request_head;

/// Bring `head` into the form that the stack reads. Returns the body of `stream`.
pub fn translate(
    client: &Client,
    head: &mut request::Parts,
    stream: RecvStream,
    send_half: &SendHalf,
) -> Result<Body, Failure> {
    let ends = stream.is_end_stream();
    request_head::complete(head, ends, client, send_half)?;
    if ends {
        return Ok(Body::Empty);
    }
    let idle = client.settings.plan.timeouts.request_body.duration();
    Ok(Body::stream(Incoming::new(stream, idle, Failures::OF_REQUEST)))
}
