//! What is read of `Cache-Control` as it is sent.

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::fields as headers;
use crate::cache::directives::{OfRequest, OfResponse, Scope};

fn response(lines: &[&str]) -> OfResponse {
    OfResponse::of(&headers(&lines.iter().map(|line| ("cache-control", line)).collect::<Vec<_>>()))
}

fn request(line: &str) -> OfRequest {
    OfRequest::of(&headers(&[("cache-control", line)]))
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn fields(names: &[&'static str]) -> Scope {
    Scope::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect())
}

#[test]
fn every_directive_of_a_response_is_known() {
    let all = "max-age=1, s-maxage=2, no-cache, private, no-store, must-revalidate, proxy-revalidate, \
               must-understand, public, immutable, stale-while-revalidate=3, stale-if-error=4";
    let expected = OfResponse {
        max_age: seconds(1),
        s_maxage: seconds(2),
        no_cache: Scope::Whole,
        private: Scope::Whole,
        no_store: true,
        must_revalidate: true,
        proxy_revalidate: true,
        must_understand: true,
        public: true,
        immutable: true,
        stale_while_revalidate: seconds(3),
        stale_if_error: seconds(4),
        is_targeted: false,
    };
    assert_eq!(response(&[all]), expected);
    assert_eq!(response(&[&all.to_uppercase()]), expected, "names have no case");
    let lines = all.split(", ").collect::<Vec<_>>();
    assert_eq!(response(&lines), expected, "lines are one list");
}

#[test]
fn every_directive_of_a_request_is_known() {
    let expected = OfRequest {
        max_age: seconds(1),
        max_stale: seconds(2),
        min_fresh: seconds(3),
        no_cache: true,
        no_store: true,
        only_if_cached: true,
        stale_if_error: seconds(4),
    };
    let all =
        "max-age=1, max-stale=2, min-fresh=3, no-cache, no-store, only-if-cached, stale-if-error=4";
    assert_eq!(request(all), expected);
    assert_eq!(request("max-stale").max_stale, Some(Duration::MAX));
    assert_eq!(request("max-stale=x").max_stale, seconds(0));
}

#[test]
fn pragma_counts_in_requests_without_cache_control() {
    let no_cache = |lines: &[(&str, &str)]| OfRequest::of(&headers(lines)).no_cache;
    assert!(no_cache(&[("pragma", "no-cache")]));
    assert!(no_cache(&[("pragma", "x=1, No-Cache")]));
    assert!(!no_cache(&[("pragma", "x=\"no-cache\"")]));
    assert!(!no_cache(&[("pragma", "no-cache"), ("cache-control", "max-age=1")]));
}

#[test]
fn unknown_directives_are_ignored_with_all_that_they_say() {
    for line in [
        "max-age=1",
        "foobar, max-age=1",
        "max-age=1, extension=\"max-age=3600\"",
        "extension=\"max-age=3600\", max-age=1",
        "extension=\"a, \\\"max-age=3600, \", max-age=1",
        "extension=\"\\\\\", max-age=1",
        ",, , max-age=1,",
        "=max-age=5, max-age=1",
        "xmax-age=5,max-agex=5,max-age=1",
    ] {
        let expected = OfResponse { max_age: seconds(1), ..OfResponse::default() };
        assert_eq!(response(&[line]), expected, "{line}");
    }
}

#[test]
fn numbers_are_tokens_or_quoted() {
    for (line, max_age) in [
        ("max-age=3600", 3600),
        ("max-age=003600", 3600),
        ("max-age=\"3600\"", 3600),
        ("max-age=\"3\\600\"", 3600),
        ("max-age=2147483648", 2_147_483_648),
        ("max-age=99999999999", 2_147_483_648),
    ] {
        assert_eq!(response(&[line]).max_age, seconds(max_age), "{line}");
    }
}

#[test]
fn a_number_that_cannot_be_read_is_zero() {
    for argument in [
        "",
        "=",
        "=-3600",
        "=a3600",
        "=3600a",
        "=3600.0",
        "=3600.5",
        "='3600'",
        "= 3600",
        " =3600",
        " = 3600",
        "=\"\"",
        "=\" 3600\"",
        "=3600 7",
        "=\u{e9}",
    ] {
        let line = format!("max-age{argument}");
        let expected = OfResponse { max_age: seconds(0), ..OfResponse::default() };
        assert_eq!(response(&[&line]), expected, "{line}");
    }
}

#[test]
fn of_several_numbers_the_first_counts() {
    for (lines, max_age) in [
        (&["max-age=1800, max-age=1"][..], 1800),
        (&["max-age=1, max-age=1800"], 1),
        (&["max-age=1800", "max-age=1"], 1800),
        (&["max-age=x, max-age=1"], 0),
    ] {
        assert_eq!(response(lines).max_age, seconds(max_age), "{lines:?}");
    }
}

#[test]
fn what_demands_care_counts_with_any_argument_and_what_permits_use_with_none() {
    for argument in ["=1", "=\"x\"", " =", "= x"] {
        let line = |name: &str| response(&[&format!("{name}{argument}")]);
        assert!(line("no-store").no_store, "{argument}");
        assert!(line("must-revalidate").must_revalidate, "{argument}");
        assert!(line("proxy-revalidate").proxy_revalidate, "{argument}");
        for name in ["public", "immutable", "must-understand"] {
            assert_eq!(line(name), OfResponse::default(), "{name}{argument}");
        }
    }
}

#[test]
fn no_cache_and_private_may_be_about_fields() {
    for (lines, scope) in [
        (&["max-age=1"][..], Scope::No),
        (&["private"], Scope::Whole),
        (&["private=\"a\""], fields(&["a"])),
        (&["private=\"a, X-B ,,c\""], fields(&["a", "x-b", "c"])),
        (&["private=a"], fields(&["a"])),
        (&["private=a", "private=\"b\""], fields(&["a", "b"])),
        (&["private=\"a\", private"], Scope::Whole),
        (&["private, private=\"a\""], Scope::Whole),
        (&["private=\"\""], Scope::Whole),
        (&["private=\",\""], Scope::Whole),
        (&["private=\"a b\""], Scope::Whole),
        (&["private ="], Scope::Whole),
        (&["private=\"a, Content-Encoding\""], Scope::Whole),
        (&["private=\"vary\""], Scope::Whole),
    ] {
        assert_eq!(response(lines).private, scope, "{lines:?}");
        let no_cache = lines.iter().map(|line| line.replace("private", "no-cache"));
        let no_cache = no_cache.collect::<Vec<_>>();
        let no_cache = no_cache.iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(response(&no_cache).no_cache, scope, "{no_cache:?}");
    }
}

#[test]
fn a_quotation_mark_out_of_place_may_hide_a_directive_so_that_nothing_may_be_stored() {
    for line in [
        "max-age=60, x=\"no-store",
        "x=\"a\\\"",
        "max-age\t=\"60",
        "x\", no-store, max-age=1\"",
        "max-age=60, a\"b, no-store",
        "max-age=\"60\"x",
        "max-age= \"60\"",
        "max-age=6\"0",
    ] {
        assert_eq!(response(&[line]).private, Scope::Whole, "{line}");
        assert!(request(line).no_store, "{line}");
    }
    assert!(response(&["x=\"a", "no-store"]).no_store, "another line is not hidden");
}

proptest! {
    #[test]
    fn no_line_hides_what_another_forbids(line in "[a-z=\", \\\\0-9-]{0,40}", is_first: bool) {
        let lines = if is_first { [line.as_str(), "no-store"] } else { ["no-store", line.as_str()] };
        prop_assert!(response(&lines).no_store);
    }

    #[test]
    fn nothing_before_it_hides_what_a_line_forbids(line in "[a-z=\", \\\\0-9-]{0,40}") {
        let directives = response(&[&format!("{line}, no-store")]);
        prop_assert!(directives.no_store || directives.private == Scope::Whole);
    }

    #[test]
    fn any_bytes_are_read(line in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, value)]);
            let _ = (OfResponse::of(&headers), OfRequest::of(&headers));
        }
    }
}
