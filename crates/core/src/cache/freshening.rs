//! What is stored learns from responses without content: those of validation, and to HEAD (RFC 9111 §3.2, §4.3).

use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName};

use super::entity_tag::EntityTag;

/// What says how the stored content is framed and coded, which stays as it is (RFC 9111 §3.2).
const OF_STORED_CONTENT: [HeaderName; 3] = [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE];

/// Whether a 304 is about the `stored` response, which the request named (RFC 9111 §4.3.4).
///
/// Origins that leave validators out of a 304 mean the response that was asked about: no other was.
pub fn selects(stored: &HeaderMap, not_modified: &HeaderMap) -> bool {
    match (EntityTag::of(not_modified), EntityTag::of(stored)) {
        (Some(new), Some(own)) if new.is_weak() => new.is_weakly(own),
        (Some(new), Some(own)) => new.is_strongly(own),
        (Some(_), None) => false,
        (None, _) => {
            not_modified.get(LAST_MODIFIED).is_none_or(|new| stored.get(LAST_MODIFIED) == Some(new))
        }
    }
}

/// The fields of a stored response after a `newer` one without content, of which those are given that may be stored
/// (RFC 9111 §3.2).
pub fn freshen(stored: &HeaderMap, newer: &HeaderMap) -> HeaderMap {
    let mut all = stored.clone();
    // The age that the older one had says nothing of the newer.
    all.remove(AGE);
    for name in newer.keys().filter(|name| !OF_STORED_CONTENT.contains(name)) {
        all.remove(name);
        for value in newer.get_all(name) {
            all.append(name, value.clone());
        }
    }
    all
}

/// Whether a 200 to HEAD is about the `stored` response of this `length` (RFC 9111 §4.3.5): if so it freshens it, and
/// if not, what is stored is stale.
pub fn head_agrees(stored: &HeaderMap, length: u64, of_head: &HeaderMap) -> bool {
    let agrees =
        |name: HeaderName| of_head.get(&name).is_none_or(|new| stored.get(&name) == Some(new));
    let is_as_long =
        |new: &HeaderValue| new.to_str().ok().and_then(|new| new.parse().ok()) == Some(length);
    agrees(ETAG) && agrees(LAST_MODIFIED) && of_head.get(CONTENT_LENGTH).is_none_or(is_as_long)
}
