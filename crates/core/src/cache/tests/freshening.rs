//! What a stored response learns from one without content.

use super::fields;
use crate::cache::freshening::{freshen, head_agrees, selects};

const MONDAY: (&str, &str) = ("last-modified", "Mon, 06 Jan 2020 00:00:00 GMT");
const TUESDAY: (&str, &str) = ("last-modified", "Tue, 07 Jan 2020 00:00:00 GMT");
const STRONG: (&str, &str) = ("etag", "\"abc\"");
const WEAK: (&str, &str) = ("etag", "W/\"abc\"");
const OTHER: (&str, &str) = ("etag", "\"def\"");

#[test]
fn a_304_is_about_the_response_with_its_validators() {
    for (stored, newer, wanted) in [
        (&[STRONG][..], &[STRONG][..], true),
        (&[STRONG, MONDAY], &[STRONG], true),
        (&[STRONG, MONDAY], &[STRONG, TUESDAY], true),
        (&[STRONG], &[OTHER], false),
        (&[STRONG, MONDAY], &[OTHER, MONDAY], false),
        // A strong tag is the same as a strong one alone, a weak one as either.
        (&[WEAK], &[STRONG], false),
        (&[WEAK], &[WEAK], true),
        (&[STRONG], &[WEAK], true),
        (&[MONDAY], &[STRONG, MONDAY], false),
        (&[MONDAY], &[MONDAY], true),
        (&[STRONG, MONDAY], &[MONDAY], true),
        (&[MONDAY], &[TUESDAY], false),
        (&[STRONG], &[MONDAY], false),
        // One without validators is about the only response that was named.
        (&[STRONG, MONDAY], &[("date", "x")], true),
        (&[], &[], true),
    ] {
        assert_eq!(selects(&fields(stored), &fields(newer)), wanted, "{stored:?} and {newer:?}");
    }
}

#[test]
fn fields_of_the_newer_response_take_the_place_of_the_older_ones() {
    let stored = [
        ("test-header", "a"),
        ("cache-control", "max-age=1"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=1"),
        ("kept", "1"),
    ];
    let newer = [
        ("cache-control", "max-age=3600"),
        ("test-header", "b"),
        ("set-cookie", "a=2"),
        ("new", "1"),
        ("new", "2"),
    ];
    let all = freshen(&fields(&stored), &fields(&newer));
    assert_eq!(all, fields(&[&newer[..], &[("kept", "1")]].concat()));
    for name in [
        "x-test-header",
        "content-foo",
        "x-content-foo",
        "content-location",
        "content-security-policy",
        "content-type",
        "expires",
        "etag",
        "x-frame-options",
    ] {
        let all = freshen(&fields(&[(name, "a")]), &fields(&[(name, "b")]));
        assert_eq!(all, fields(&[(name, "b")]), "{name}");
    }
}

#[test]
fn what_frames_the_stored_content_stays() {
    for name in ["content-length", "content-encoding", "content-range"] {
        let all = freshen(&fields(&[(name, "36")]), &fields(&[(name, "10")]));
        assert_eq!(all, fields(&[(name, "36")]), "{name}");
        assert!(freshen(&fields::<&str>(&[]), &fields(&[(name, "10")])).is_empty(), "{name}");
    }
}

#[test]
fn the_age_of_the_older_response_is_not_that_of_the_newer() {
    assert!(freshen(&fields(&[("age", "30")]), &fields::<&str>(&[])).is_empty());
    let all = freshen(&fields(&[("age", "30")]), &fields(&[("age", "5")]));
    assert_eq!(all, fields(&[("age", "5")]));
}

#[test]
fn a_response_to_head_agrees_with_what_is_stored_in_all_that_it_says() {
    let stored = [STRONG, MONDAY];
    for (of_head, wanted) in [
        (&[][..], true),
        (&[STRONG][..], true),
        (&[STRONG, MONDAY, ("content-length", "10")], true),
        (&[("content-length", "11")], false),
        (&[("content-length", "ten")], false),
        (&[OTHER], false),
        (&[WEAK], false),
        (&[TUESDAY], false),
        (&[STRONG, TUESDAY], false),
    ] {
        assert_eq!(head_agrees(&fields(&stored), 10, &fields(of_head)), wanted, "{of_head:?}");
    }
    assert!(!head_agrees(&fields::<&str>(&[]), 10, &fields(&[STRONG])));
}
