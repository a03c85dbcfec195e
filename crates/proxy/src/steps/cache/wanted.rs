//! What the origin is asked for.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use http::{Response, StatusCode};
use tidegate_core::cache::content_range::ContentRange;
use tidegate_core::cache::validator;

use crate::http::body::Body;
use crate::objects::cache::Entry;

/// What the origin is asked for.
pub enum Wanted {
    /// All of it, or whether what is stored still holds.
    Whole,
    /// The part that the client wants.
    Part,
    /// What is missing of the parts that are stored.
    Missing(Arc<Entry>, Range<u64>),
    /// The slice with this number: of this object, or of one that is to be stored in slices.
    Slice(u64, Option<Arc<Entry>>),
}

/// Whether a response that `arrived` then has what is `missing` of `held`: else the origin has another body by now, or does not say what
/// it sends. One that is no part takes the place of what is held.
pub(super) fn completes(
    held: &Entry,
    missing: &Range<u64>,
    response: &Response<Body>,
    arrived: SystemTime,
) -> bool {
    let headers = response.headers();
    match response.status() {
        StatusCode::PARTIAL_CONTENT => ContentRange::of(headers).is_some_and(|said| {
            let has_all = said.range.start <= missing.start && missing.end <= said.range.end;
            let is_same = validator::strong(headers, arrived) == held.strong_validator().as_ref();
            has_all && is_same && held.content.length() == Some(said.length)
        }),
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PRECONDITION_FAILED => false,
        _ => true,
    }
}
