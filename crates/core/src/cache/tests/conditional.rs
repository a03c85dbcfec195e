//! Which conditional requests a stored response answers, and how one is validated.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;

use super::fields;
use crate::cache::conditional::{is_for_origin, is_not_modified, not_modified, take_off, validate};

type Fields<'a> = &'a [(&'a str, &'a str)];

const MORNING: &str = "Wed, 01 Jan 2020 08:00:00 GMT";
const NOON: &str = "Wed, 01 Jan 2020 12:00:00 GMT";
const EVENING: &str = "Wed, 01 Jan 2020 20:00:00 GMT";

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_880_000)
}

/// Whether a GET for a 200 that came at noon gets a 304.
fn is_304(request: Fields<'_>, stored: Fields<'_>) -> bool {
    is_not_modified(&fields(request), &Method::GET, StatusCode::OK, &fields(stored), noon())
}

#[test]
fn an_entity_tag_is_compared_weakly_with_each_of_a_list() {
    for (sent, own, wanted) in [
        ("\"abc\"", "\"abc\"", true),
        ("\"ab\"", "\"abc\"", false),
        ("W/\"abc\"", "W/\"abc\"", true),
        ("W/\"abc\"", "\"abc\"", true),
        ("\"abc\"", "W/\"abc\"", true),
        ("\"abc\", \"1\", \"2\"", "\"abc\"", true),
        ("\"1\", \"abc\", \"2\"", "\"abc\"", true),
        ("\"1\",W/\"2\" ,, \"abc\"", "\"abc\"", true),
        ("\"a,b\"", "\"a,b\"", true),
        ("\"a,\"b\"", "\"b\"", false),
        ("\"a\\\", \"b\"", "\"b\"", true),
        ("*", "\"abc\"", true),
        ("\"*\"", "\"abc\"", false),
        ("", "\"abc\"", false),
    ] {
        assert_eq!(
            is_304(&[("if-none-match", sent)], &[("etag", own)]),
            wanted,
            "{sent} and {own}"
        );
    }
}

#[test]
fn an_entity_tag_may_have_bytes_beyond_ascii() {
    assert!(is_304(&[("if-none-match", "\"abcdef\u{fc}\"")], &[("etag", "\"abcdef\u{fc}\"")]));
    assert!(!is_304(&[("if-none-match", "\"abcdef\u{fc}\"")], &[("etag", "\"abcdef\"")]));
}

#[test]
fn a_tag_that_is_not_well_formed_is_the_same_as_itself_alone() {
    for tag in ["abcdef", "w/\"abcdef\"", "W\\\"abcdef\"", "W\"abcdef\""] {
        assert!(is_304(&[("if-none-match", tag)], &[("etag", tag)]), "{tag}");
        assert!(!is_304(&[("if-none-match", tag)], &[("etag", "\"abcdef\"")]), "{tag}");
        assert!(!is_304(&[("if-none-match", "\"abcdef\"")], &[("etag", tag)]), "{tag}");
    }
}

#[test]
fn any_representation_will_do_for_an_asterisk_and_none_has_a_tag_that_is_not_there() {
    assert!(is_304(&[("if-none-match", "*")], &[]));
    assert!(!is_304(&[("if-none-match", "\"abc\"")], &[]));
    assert!(is_304(
        &[("if-none-match", "\"1\""), ("if-none-match", "\"abc\"")],
        &[("etag", "\"abc\"")]
    ));
}

#[test]
fn a_date_does_not_count_beside_an_entity_tag() {
    let stored = [("etag", "\"abc\""), ("last-modified", MORNING)];
    assert!(is_304(
        &[("if-none-match", "\"abc\""), ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")],
        &stored
    ));
    assert!(!is_304(&[("if-none-match", "\"1\""), ("if-modified-since", EVENING)], &stored));
}

#[test]
fn a_response_that_was_not_changed_since_is_not_modified() {
    let changed_at_noon = [("last-modified", NOON), ("date", EVENING)];
    for (since, wanted) in [
        (MORNING, false),
        (NOON, true),
        (EVENING, true),
        ("Wednesday, 01-Jan-20 12:00:00 GMT", true),
        ("Wed Jan  1 12:00:00 2020", true),
        ("Wednesday, 01-Jan-20 11:59:59 GMT", false),
        ("2020-01-01T12:00:00Z", false),
        ("noon", false),
        ("", false),
    ] {
        assert_eq!(is_304(&[("if-modified-since", since)], &changed_at_noon), wanted, "{since}");
    }
    let twice = [("if-modified-since", NOON), ("if-modified-since", NOON)];
    assert!(!is_304(&twice, &changed_at_noon));
}

#[test]
fn without_last_modified_the_date_counts_and_without_it_when_it_came() {
    for stored in [&[("date", NOON)][..], &[], &[("last-modified", "bad"), ("date", "bad")]] {
        assert!(!is_304(&[("if-modified-since", MORNING)], stored));
        assert!(is_304(&[("if-modified-since", NOON)], stored));
    }
}

#[test]
fn conditions_are_judged_of_get_and_head_and_of_a_success_alone() {
    let (request, stored) = (fields(&[("if-none-match", "*")]), HeaderMap::new());
    for (method, status, wanted) in [
        (Method::GET, StatusCode::OK, true),
        (Method::HEAD, StatusCode::OK, true),
        (Method::GET, StatusCode::NON_AUTHORITATIVE_INFORMATION, true),
        (Method::POST, StatusCode::OK, false),
        (Method::GET, StatusCode::MOVED_PERMANENTLY, false),
        (Method::GET, StatusCode::NOT_FOUND, false),
        (Method::GET, StatusCode::SERVICE_UNAVAILABLE, false),
    ] {
        let judged = is_not_modified(&request, &method, status, &stored, noon());
        assert_eq!(judged, wanted, "{method} {status}");
    }
    assert!(!is_304(&[], &[("etag", "\"abc\""), ("last-modified", NOON)]));
}

#[test]
fn conditions_that_only_the_origin_can_judge_are_told_from_the_others() {
    for name in ["if-match", "if-unmodified-since"] {
        assert!(is_for_origin(&fields(&[(name, "*")])), "{name}");
    }
    assert!(!is_for_origin(&fields(&[
        ("if-none-match", "*"),
        ("if-range", "\"a\""),
        ("if-modified-since", NOON)
    ])));
}

#[test]
fn a_304_has_the_fields_that_caches_need_and_none_of_its_content() {
    let kept = [
        ("cache-control", "max-age=1"),
        ("content-location", "/a"),
        ("date", NOON),
        ("etag", "\"abc\""),
        ("expires", EVENING),
        ("vary", "foo"),
        ("last-modified", MORNING),
        ("content-security-policy", "default-src 'self'"),
        ("x-own", "1"),
    ];
    let content = [
        ("content-length", "5"),
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
        ("content-language", "en"),
        ("content-range", "bytes 0-4/5"),
    ];
    assert_eq!(not_modified(fields(&[&kept[..], &content].concat())), fields(&kept));
}

#[test]
fn a_validation_names_the_stored_response_and_not_the_clients() {
    let clients = [
        ("if-none-match", "\"client\""),
        ("if-modified-since", MORNING),
        ("range", "bytes=0-1"),
        ("if-range", "\"client\""),
        ("abc", "123"),
    ];
    for (stored, wanted) in [
        (&[("etag", "\"abc\"")][..], &[("abc", "123"), ("if-none-match", "\"abc\"")][..]),
        (&[("etag", "W/\"abc\"")], &[("abc", "123"), ("if-none-match", "W/\"abc\"")]),
        (&[("last-modified", NOON)], &[("abc", "123"), ("if-modified-since", NOON)]),
        (
            &[("etag", "\"abc\""), ("last-modified", NOON)],
            &[("abc", "123"), ("if-none-match", "\"abc\""), ("if-modified-since", NOON)],
        ),
        (&[("last-modified", "noon")], &[("abc", "123"), ("if-modified-since", "noon")]),
        (&[("date", NOON)], &[("abc", "123")]),
        (&[], &[("abc", "123")]),
    ] {
        let mut request = fields(&clients);
        assert_eq!(validate(&mut request, &fields(stored)), wanted.len() > 1);
        assert_eq!(request, fields(wanted), "{stored:?}");
    }
}

#[test]
fn a_request_for_the_whole_keeps_what_only_the_origin_can_judge() {
    let mut request = fields(&[
        ("range", "bytes=0-1"),
        ("if-none-match", "*"),
        ("if-match", "\"a\""),
        ("abc", "1"),
    ]);
    take_off(&mut request);
    assert_eq!(request, fields(&[("if-match", "\"a\""), ("abc", "1")]));
}

fn tags() -> impl Strategy<Value = String> {
    "([W/\"a,\\\\ \u{e9}*]{0,10})".prop_map(|text| text.trim().to_owned())
}

proptest! {
    #[test]
    fn what_a_client_was_given_is_not_modified(tag in "(W/)?\"[!#-~\u{80}-\u{ff}]{0,8}\"", others in "(\"[a-c,]{0,3}\", ?){0,3}") {
        let sent = format!("{others}{tag}");
        prop_assert!(is_304(&[("if-none-match", &sent)], &[("etag", &tag)]), "{} {}", sent, tag);
    }

    #[test]
    fn any_fields_are_read(sent in tags(), own in tags(), date in "[A-Za-z0-9:, -]{0,32}") {
        let date = date.trim();
        is_304(&[("if-none-match", &sent), ("if-modified-since", date)], &[("etag", &own)]);
        is_304(&[("if-modified-since", date)], &[("last-modified", date), ("date", date)]);
    }

    #[test]
    fn a_validation_is_answered_by_what_it_validates(own in "(W/)?\"[!#-+.-~]{0,8}\"") {
        let stored = fields(&[("etag", &*own)]);
        let mut request = HeaderMap::new();
        prop_assert!(validate(&mut request, &stored));
        prop_assert!(is_not_modified(&request, &Method::GET, StatusCode::OK, &stored, noon()));
    }
}
