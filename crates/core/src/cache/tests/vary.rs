//! Which requests a stored response is selected for.

use http::HeaderMap;
use proptest::prelude::*;

use super::fields;
use crate::cache::vary::{Vary, VaryRule};
use crate::plan::VaryComparison;

const NORMALISED: VaryRule = VaryRule { comparison: VaryComparison::Normalised, ignored: false };
const EXACT: VaryRule = VaryRule { comparison: VaryComparison::Exact, ignored: false };
const IGNORED: VaryRule = VaryRule { comparison: VaryComparison::Normalised, ignored: true };

type Sent<'a> = &'a [(&'a str, &'a str)];

fn varying(values: &[&str]) -> HeaderMap {
    fields(&values.iter().map(|value| ("vary", *value)).collect::<Vec<_>>())
}

/// Whether what was stored for `one` is selected for `other`.
fn is_selected(rule: &VaryRule, vary: &str, one: Sent<'_>, other: Sent<'_>) -> bool {
    let stored = Vary::of(rule, &varying(&[vary]), &fields(one)).unwrap();
    let matches = stored.matches(rule, &fields(other));
    let renewed = Vary::of(rule, &varying(&[vary]), &fields(other)).unwrap();
    assert_eq!(matches, stored == renewed, "what replaces a variant is what matches it");
    matches
}

#[test]
fn a_response_without_vary_is_selected_for_any_request_under_any_rule() {
    let vary = Vary::of(&NORMALISED, &fields::<&str>(&[]), &fields(&[("foo", "1")])).unwrap();
    assert_eq!(vary, Vary::default());
    for rule in [NORMALISED, EXACT, IGNORED] {
        assert!(vary.matches(&rule, &fields::<&str>(&[])));
    }
}

#[test]
fn each_field_that_is_named_must_be_the_same_or_be_missing_again() {
    const FOO: (&str, &str) = ("foo", "1");
    const BAR: (&str, &str) = ("bar", "abc");
    const BAZ: (&str, &str) = ("baz", "789");
    let cases: [(&str, Sent<'_>, Sent<'_>, bool); 12] = [
        ("Foo", &[FOO], &[FOO], true),
        ("Foo", &[FOO, ("other", "2")], &[FOO, ("other", "3")], true),
        ("Foo", &[FOO], &[("foo", "2")], false),
        ("Foo", &[FOO], &[], false),
        ("Foo", &[], &[FOO], false),
        // An empty field is not a missing one.
        ("Foo", &[("foo", "")], &[], false),
        ("Foo, Bar", &[FOO, BAR], &[FOO, BAR], true),
        ("Foo, Bar", &[FOO, BAR], &[("foo", "2"), BAR], false),
        ("Foo, Bar", &[FOO, BAR], &[], false),
        ("Foo, Bar, Baz", &[FOO, BAR, BAZ], &[BAZ, FOO, BAR], true),
        ("Foo, Bar, Baz", &[FOO, BAR, BAZ], &[FOO, BAZ, ("bar", "abcde")], false),
        ("Foo, Bar, Baz", &[FOO, BAZ], &[FOO, BAZ], true),
    ];
    for (vary, one, other, wanted) in cases {
        for rule in [NORMALISED, EXACT] {
            let selected = is_selected(&rule, vary, one, other);
            assert_eq!(selected, wanted, "{vary}: {one:?} and {other:?}");
        }
    }
}

#[test]
fn an_asterisk_in_any_place_is_never_selected() {
    for values in [
        &["*"][..],
        &["*, *"],
        &["*", "*"],
        &[", *"],
        &["", "*"],
        &["*, Foo"],
        &["Foo, *"],
        &["foo", "bar,\t*,"],
    ] {
        let request = fields(&[("foo", "1"), ("baz", "789")]);
        assert_eq!(Vary::of(&NORMALISED, &varying(values), &request), None, "{values:?}");
    }
}

#[test]
fn what_is_no_name_is_never_selected() {
    for value in ["a b", "\"foo\"", "foo;q=1", "f\u{f6}\u{f6}", "foo, (bar)"] {
        assert_eq!(Vary::of(&NORMALISED, &varying(&[value]), &HeaderMap::new()), None, "{value}");
    }
}

#[test]
fn names_are_read_in_any_case_and_order_from_all_fields_and_empty_members_are_none() {
    let vary = Vary::of(&NORMALISED, &varying(&["Foo,,", "", "bAR , foo"]), &HeaderMap::new());
    assert_eq!(vary.unwrap().fields().map(|(name, _)| name).collect::<Vec<_>>(), ["bar", "foo"]);
    assert_eq!(
        Vary::of(&NORMALISED, &varying(&[" , "]), &HeaderMap::new()).unwrap().fields().count(),
        0
    );
}

#[test]
fn a_response_that_depends_on_very_much_is_never_selected() {
    let names: Vec<_> = (0..10_000).map(|number| format!("x-{number}")).collect();
    let all = fields(&names.iter().map(|name| ("vary", name)).collect::<Vec<_>>());
    assert_eq!(Vary::of(&NORMALISED, &all, &HeaderMap::new()), None);
    let repeated = fields(&[("vary", "foo"); 10_000]);
    assert!(Vary::of(&NORMALISED, &repeated, &HeaderMap::new()).is_some());
}

#[test]
fn unknown_fields_are_compared_as_lists() {
    for (one, other) in [
        (&["1, 2"][..], &["1", "2"][..]),
        (&["1,2"], &["1, 2"]),
        (&["1,2"], &["1 ,\t2"]),
        (&["a=\"1, 2\",b"], &["a=\"1, 2\"", "b"]),
    ] {
        let lines = |values: &[&'static str]| -> Vec<_> {
            values.iter().map(|value| ("foo", *value)).collect()
        };
        assert!(
            is_selected(&NORMALISED, "Foo", &lines(one), &lines(other)),
            "{one:?} and {other:?}"
        );
        assert!(!is_selected(&EXACT, "Foo", &lines(one), &lines(other)), "{one:?} and {other:?}");
    }
    for (one, other) in [
        ("1, 2", "2, 1"),
        ("1, 2", "1 2"),
        ("1,,2", "1,2"),
        ("A", "a"),
        ("a=\"1, 2\"", "a=\"1,2\""),
        ("a=\"\\\", b\"", "a=\"\\\",b\""),
    ] {
        assert!(
            !is_selected(&NORMALISED, "Foo", &[("foo", one)], &[("foo", other)]),
            "{one} and {other}"
        );
    }
}

#[test]
fn commas_in_cookies_are_their_own() {
    let selected = |one: Sent<'_>, other: Sent<'_>| is_selected(&NORMALISED, "Cookie", one, other);
    let split = [("cookie", "a=1"), ("cookie", "b=2")];
    assert!(selected(&split, &[("cookie", "a=1; b=2")]));
    assert!(!selected(&split, &[("cookie", "a=1,b=2")]));
    assert!(!selected(&[("cookie", "a=1, b")], &[("cookie", "a=1,b")]));
}

#[test]
fn accepted_codings_are_compared_by_which_are_taken() {
    let selected = |one, other| {
        let line = |value| [("accept-encoding", value)];
        is_selected(&NORMALISED, "Accept-Encoding", &line(one), &line(other))
    };
    for (one, other) in [
        ("gzip, br", "br,gzip"),
        ("gzip;q=0.5, br", "gzip, br;q=0.1"),
        ("gzip, deflate", "GZIP"),
        ("x-gzip", "gzip"),
        ("br, zstd;q=0", "br"),
        ("*", "br, gzip, zstd"),
        ("*;q=0.5, br;q=0", "gzip;Q=1.000, zstd ; q=0.001"),
        ("identity", ""),
        ("deflate", "identity"),
    ] {
        assert!(selected(one, other) && selected(other, one), "{one} and {other}");
    }
    for (one, other) in [
        ("gzip", "br"),
        ("gzip, br", "gzip"),
        ("gzip;q=0", "gzip"),
        ("gzip;q=0.000", "gzip"),
        ("gzip", ""),
        ("*", ""),
        ("gzip, identity;q=0", "gzip"),
        ("gzip, *;q=0", "gzip"),
    ] {
        assert!(!selected(one, other) && !selected(other, one), "{one} and {other}");
    }
    assert!(!is_selected(&NORMALISED, "Accept-Encoding", &[], &[("accept-encoding", "")]));
    assert!(!is_selected(
        &EXACT,
        "Accept-Encoding",
        &[("accept-encoding", "a,b")],
        &[("accept-encoding", "a, b")]
    ));
}

#[test]
fn a_coding_that_is_not_known_everywhere_goes_to_requests_that_take_it() {
    let response = fields(&[("vary", "accept-encoding"), ("content-encoding", "deflate")]);
    let request = |value| fields(&[("accept-encoding", value)]);
    let stored = Vary::of(&NORMALISED, &response, &request("gzip, Deflate")).unwrap();
    assert!(stored.matches(&NORMALISED, &request("deflate;q=0.5, gzip")));
    for other in ["gzip", "gzip, deflate;q=0", "identity", "*", "gzip, deflate, br"] {
        assert!(!stored.matches(&NORMALISED, &request(other)), "{other}");
    }
}

#[test]
fn languages_are_compared_by_the_order_in_which_they_are_wanted() {
    let selected = |one, other| {
        let line = |value| [("accept-language", value)];
        is_selected(&NORMALISED, "Accept-Language", &line(one), &line(other))
    };
    for (one, other) in [
        ("en, de", "de, en"),
        ("en, de", "eN, De"),
        ("en, de", "en ,   de"),
        ("en, de;q=0.5", "de;q=0.8,en"),
        ("en;q=0.9, de;q=0.3", "en, de;q=0.5"),
        ("en, de;q=0", "en,,de;q=0.0"),
    ] {
        assert!(selected(one, other), "{one} and {other}");
    }
    for (one, other) in [
        ("en, de", "en"),
        ("en, de", "en, de;q=0.5"),
        ("en;q=0.5, de", "en, de;q=0.5"),
        ("en, de;q=0", "en"),
        ("en, de;q=0", "en, de;q=0.1"),
        ("en-US", "en"),
        ("fr;q=0.5, de;q=1.0", "en, de"),
    ] {
        assert!(!selected(one, other), "{one} and {other}");
    }
}

#[test]
fn what_cannot_be_read_is_compared_as_it_is() {
    for name in ["accept-encoding", "accept-language"] {
        let selected =
            |one, other| is_selected(&NORMALISED, name, &[(name, one)], &[(name, other)]);
        for bad in [
            "gzip;q=2",
            "gzip;q=0.1234",
            "gzip;q=-1",
            "gzip;q=",
            "gzip;level=1",
            "a b",
            "gzip;q=1.1",
            ";",
            "\"a",
        ] {
            assert!(selected(bad, bad), "{bad}");
            assert!(!selected(bad, "gzip") && !selected("gzip", bad), "{bad}");
        }
    }
}

#[test]
fn where_vary_is_not_looked_at_all_are_selected_but_not_by_routes_that_look() {
    let (stored_for, other) = (fields(&[("foo", "1")]), fields(&[("foo", "2")]));
    for value in ["foo", "*", "a b"] {
        let vary = Vary::of(&IGNORED, &varying(&[value]), &stored_for).unwrap();
        assert!(vary.matches(&IGNORED, &other));
        assert!(!vary.matches(&NORMALISED, &stored_for) && !vary.matches(&EXACT, &stored_for));
    }
}

#[test]
fn routes_that_compare_in_other_ways_do_not_select_what_the_other_stored() {
    let request = fields(&[("foo", "1")]);
    let vary = Vary::of(&EXACT, &varying(&["foo"]), &request).unwrap();
    assert!(vary.matches(&EXACT, &request) && !vary.matches(&NORMALISED, &request));
}

fn any_rule() -> impl Strategy<Value = VaryRule> {
    prop::sample::select(vec![NORMALISED, EXACT, IGNORED])
}

/// Lines of fields that are compared in different ways.
fn any_request() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let names = prop::sample::select(vec!["foo", "accept-encoding", "accept-language", "cookie"]);
    let word = prop::sample::select(vec![
        "a", "br", "*", "gzip", ";q=0", ";q=0.5", ",", " ", "\"", "\\", "\u{e9}", ";",
    ]);
    let value = prop::collection::vec(word, 0..6)
        .prop_map(|words| words.concat().trim().as_bytes().to_vec());
    prop::collection::vec((names, value), 0..4)
}

proptest! {
    #[test]
    fn a_request_is_selected_for_itself(rule in any_rule(), request in any_request(), vary in "[a-zA-Z*, -]{0,20}") {
        let request = fields(&request);
        for vary in [&vary, "foo, accept-encoding, accept-language, cookie"] {
            let stored = Vary::of(&rule, &varying(&[vary]), &request);
            prop_assert!(stored.is_none_or(|stored| stored.matches(&rule, &request)));
        }
    }

    #[test]
    fn selection_works_both_ways(rule in any_rule(), one in any_request(), other in any_request()) {
        let response = varying(&["foo, accept-encoding, accept-language, cookie"]);
        let (one, other) = (fields(&one), fields(&other));
        let of = |request| Vary::of(&rule, &response, request).unwrap();
        prop_assert_eq!(of(&one).matches(&rule, &other), of(&other).matches(&rule, &one));
        prop_assert_eq!(of(&one).matches(&rule, &other), of(&one) == of(&other));
    }

    #[test]
    fn any_bytes_are_read(values in prop::collection::vec(prop::collection::vec(0x20u8..=0xff, 0..20), 0..3)) {
        let lines: Vec<_> = values.iter().map(|value| {
            ("vary", value.iter().copied().filter(|byte| *byte != 0x7f).collect::<Vec<_>>())
        }).collect();
        let _ = Vary::of(&NORMALISED, &fields(&lines), &HeaderMap::new());
    }
}
