//! Strong validators (RFC 9110 §8.8.1): what two responses have in common only if their contents are the same.

use std::time::{Duration, SystemTime};

use http::header::{DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

use super::date;
use super::entity_tag::EntityTag;

/// The strong validator of a response with these fields, which came at `arrived`: its entity tag, or where it has none,
/// when it was changed, if that says enough.
pub fn strong(response: &HeaderMap, arrived: SystemTime) -> Option<&HeaderValue> {
    match response.get(ETAG) {
        Some(tag) => EntityTag::read(tag.as_bytes()).is_strong().then_some(tag),
        None if is_strong_date(response, arrived) => response.get(LAST_MODIFIED),
        None => None,
    }
}

/// Whether a response was made so long after its last change that it cannot have been changed again at the same
/// second (§8.8.2.2).
pub(super) fn is_strong_date(response: &HeaderMap, arrived: SystemTime) -> bool {
    let said = |name| date::of(response, name, arrived);
    let changed = said(LAST_MODIFIED).and_then(|date| date.checked_add(Duration::from_secs(1)));
    changed.is_some_and(|changed| said(DATE).is_some_and(|made| changed <= made))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::fields;

    #[test]
    fn a_validator_is_strong_if_it_changes_with_every_change() {
        let (monday, later) = ("Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:01 GMT");
        let changed = ("last-modified", monday);
        for (said, wanted) in [
            (&[("etag", "\"1\"")][..], Some("\"1\"")),
            (&[("etag", "\"1\""), changed, ("date", later)], Some("\"1\"")),
            (&[changed, ("date", later)], Some(monday)),
            (&[changed, ("date", monday)], None),
            (&[changed], None),
            (&[("etag", "W/\"1\"")], None),
            (&[("etag", "W/\"1\""), changed, ("date", later)], None),
            (&[("etag", "1")], None),
            (&[], None),
        ] {
            let headers = fields(said);
            let found = strong(&headers, SystemTime::UNIX_EPOCH);
            assert_eq!(found.map(HeaderValue::as_bytes), wanted.map(str::as_bytes), "{said:?}");
        }
    }
}
