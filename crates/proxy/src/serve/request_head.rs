//! What the head of a request is made of, in the versions that have frames.

use http::{HeaderMap, HeaderValue, StatusCode, request};
use tidegate_core::failure::Failure;
use tidegate_core::message::{Malformed, pseudo};
use tidegate_core::websocket::WEBSOCKET;

use crate::client::Client;
use crate::http::ADDED_FIELDS;
use crate::http::body::Body;
use crate::http::interim::Interim;

/// What follows the head of a request on its stream.
pub struct Rest<S> {
    /// The content.
    pub content: Body,
    /// The protocol that the stream is to carry instead.
    pub upgrade: Option<&'static HeaderValue>,
    /// The client's half of the stream then.
    pub incoming: Option<S>,
}

impl<S> Rest<S> {
    /// Content, and nothing else.
    pub fn content(content: Body) -> Self {
        Self { content, upgrade: None, incoming: None }
    }

    /// A protocol, which is asked for.
    pub fn tunnel(upgrade: &'static HeaderValue, incoming: S) -> Self {
        Self { content: Body::Empty, upgrade: Some(upgrade), incoming: Some(incoming) }
    }
}

/// Bring `head`, behind which the stream `ends` or not, into the form that the stack reads. A client that waits for it is
/// told to go on with the content.
///
/// Where that makes an upgrade of an extended CONNECT, its protocol is returned: what follows on the stream is no content
/// then.
///
/// # Errors
/// What it breaks.
pub fn complete(
    head: &mut request::Parts,
    ends: bool,
    protocol: Option<&[u8]>,
    client: &Client,
    interim: &impl Interim,
) -> Result<Option<&'static HeaderValue>, Failure> {
    head.headers.reserve(ADDED_FIELDS);
    let rules = client.head_rules();
    let expects_continue = pseudo::request(head, ends, rules).map_err(Malformed::of_request)?;
    if expects_continue && !ends {
        interim.send(StatusCode::CONTINUE, HeaderMap::new());
    }
    let is_upgrade = protocol.map_or(Ok(false), |protocol| pseudo::upgrade(head, protocol));
    Ok(is_upgrade.map_err(Malformed::of_request)?.then_some(&WEBSOCKET))
}
