//! Conditional requests (RFC 9110 §13, RFC 9111 §4.3): those of clients, which a stored response answers, and those
//! by which it is validated.

use std::ops::Range;
use std::time::SystemTime;

use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::date;
use super::entity_tag::EntityTag;
use super::range;

/// What says how content is to be read: a response without content does not need it (RFC 9110 §15.4.5).
const OF_CONTENT: [HeaderName; 7] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
];

/// Whether a request has conditions that are for the origin alone (RFC 9111 §4.3.2): neither may it be answered from
/// what is stored, nor its response be stored for others.
pub fn is_for_origin(request: &HeaderMap) -> bool {
    request.contains_key(IF_MATCH) || request.contains_key(IF_UNMODIFIED_SINCE)
}

/// Whether the client has what is stored, so that it gets a 304 (RFC 9110 §13.2.2, RFC 9111 §4.3.2). Where nothing
/// says when the stored response was changed, `arrived` does, when it came.
pub fn is_not_modified(
    request: &HeaderMap,
    method: &Method,
    status: StatusCode,
    stored: &HeaderMap,
    arrived: SystemTime,
) -> bool {
    let is_judged = matches!(*method, Method::GET | Method::HEAD) && status.is_success();
    is_judged
        && match request.contains_key(IF_NONE_MATCH) {
            true => has_entity_tag(request, stored),
            false => is_no_newer(request, stored, arrived),
        }
}

fn has_entity_tag(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let own = EntityTag::of(stored);
    request.get_all(IF_NONE_MATCH).iter().any(|line| {
        line == "*"
            || own.is_some_and(|own| EntityTag::list(line.as_bytes()).any(|tag| tag.is_weakly(own)))
    })
}

/// A date that is none, or one of several, is no condition (RFC 9110 §13.1.3).
fn is_no_newer(request: &HeaderMap, stored: &HeaderMap, arrived: SystemTime) -> bool {
    let said = |headers, name| date::of(headers, name, arrived);
    let changed = || said(stored, LAST_MODIFIED).or_else(|| said(stored, DATE)).unwrap_or(arrived);
    let is_said_once = request.get_all(IF_MODIFIED_SINCE).iter().nth(1).is_none();
    is_said_once && said(request, IF_MODIFIED_SINCE).is_some_and(|since| changed() <= since)
}

/// The fields of a 304 that stands for the `stored` response (RFC 9110 §15.4.5).
pub fn not_modified(mut stored: HeaderMap) -> HeaderMap {
    for name in OF_CONTENT {
        stored.remove(name);
    }
    stored
}

/// Make a request one that validates the `stored` response, whatever the client's conditions are (RFC 9111 §4.3.1).
/// Whether there is something to validate it by: else the request is for the whole.
pub fn validate(request: &mut HeaderMap, stored: &HeaderMap) -> bool {
    take_off(request);
    let before = request.len();
    for (name, validator) in [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)] {
        // As it came: origins compare dates byte by byte too.
        if let Some(value) = stored.get(validator) {
            request.insert(name, value.clone());
        }
    }
    request.len() > before
}

/// Make a request one for these bytes of the response that has this strong `validator`, or for the whole of another one
/// (RFC 9110 §13.1.5).
pub fn complete(request: &mut HeaderMap, missing: &Range<u64>, validator: &HeaderValue) {
    take_off(request);
    request.insert(RANGE, range::request(missing));
    request.insert(IF_RANGE, validator.clone());
}

/// Make a request one for the part that the client wants, whatever it has.
pub fn ask_part(request: &mut HeaderMap) {
    request.remove(IF_NONE_MATCH);
    request.remove(IF_MODIFIED_SINCE);
}

/// Make a request one for the whole response, whatever part of it the client wants or has.
pub fn take_off(request: &mut HeaderMap) {
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE] {
        request.remove(name);
    }
}
