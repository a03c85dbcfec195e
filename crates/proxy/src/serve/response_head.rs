//! What the head of a response gets last, in the versions that have frames.

use http::header::{CONTENT_LENGTH, DATE, UPGRADE};
use http::{HeaderValue, Method, StatusCode, response};
use tidegate_core::message::content;

use crate::client::Client;
use crate::http::body::Body;

/// Complete the head of the response to a request of this method. Returns whether nothing follows.
pub fn complete(head: &mut response::Parts, body: &Body, method: &Method, client: &Client) -> bool {
    if !head.headers.contains_key(DATE) {
        head.headers.insert(DATE, client.local.date());
    }
    if let Body::Upgraded(_) = body {
        return false;
    }
    let is_head = *method == Method::HEAD;
    let bodiless = content::is_bodiless_to(method, head.status) || body.is_end();
    if bodiless && !is_head && head.status == StatusCode::OK {
        head.headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
    }
    if head.status == StatusCode::UPGRADE_REQUIRED {
        // RFC 9113 §8.2.2, RFC 9114 §4.2: it speaks of a connection over HTTP/1.
        head.headers.remove(UPGRADE);
    }
    bodiless
}
