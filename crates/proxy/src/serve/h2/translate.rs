//! A request over HTTP/2 as the stack reads it.

use h2::RecvStream;
use h2::ext::Protocol;
use http::request;
use tidegate_core::failure::Failure;

use super::response::SendHalf;
use crate::client::Client;
use crate::http::body::Body;
use crate::http::failures::Failures;
use crate::http::h2::Incoming;
use crate::serve::request_head::{self, Rest};

/// Bring `head` into the form that the stack reads. Returns what comes on `stream`.
pub fn translate(
    client: &Client,
    head: &mut request::Parts,
    stream: RecvStream,
    send_half: &SendHalf,
) -> Result<Rest<RecvStream>, Failure> {
    let ends = stream.is_end_stream();
    let protocol = head.extensions.remove::<Protocol>();
    let protocol = protocol.as_ref().map(|protocol| protocol.as_str().as_bytes());
    if let Some(protocol) = request_head::complete(head, ends, protocol, client, send_half)? {
        return Ok(Rest::tunnel(protocol, stream));
    }
    if ends {
        return Ok(Rest::content(Body::Empty));
    }
    let idle = client.settings.plan.timeouts.request_body.duration();
    Ok(Rest::content(Body::stream(Incoming::new(stream, idle, Failures::OF_REQUEST))))
}
