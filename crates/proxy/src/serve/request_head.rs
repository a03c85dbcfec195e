//! What the head of a request is made of, in the versions that have frames.

use http::{HeaderMap, StatusCode, request};
use tidegate_core::failure::Failure;
use tidegate_core::message::{Malformed, pseudo};

use crate::client::Client;
use crate::http::ADDED_FIELDS;
use crate::http::interim::Interim;

/// Bring `head`, behind which the stream `ends` or not, into the form that the stack reads. A client that waits for it is
/// told to go on with the content.
///
/// # Errors
/// What it breaks.
pub fn complete(
    head: &mut request::Parts,
    ends: bool,
    client: &Client,
    interim: &impl Interim,
) -> Result<(), Failure> {
    head.headers.reserve(ADDED_FIELDS);
    let rules = client.head_rules();
    let expects_continue = pseudo::request(head, ends, rules).map_err(Malformed::of_request)?;
    if expects_continue && !ends {
        interim.send(StatusCode::CONTINUE, HeaderMap::new());
    }
    Ok(())
}
