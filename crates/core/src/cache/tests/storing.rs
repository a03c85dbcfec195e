//! Which responses are stored, on which terms, and what of them.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode};

use super::{fields, settings};
use crate::cache::age::Times;
use crate::cache::freshness::Source;
use crate::cache::key::Url;
use crate::cache::storing::{self, NotStored, Request, Response, judge};
use crate::cache::{Settings, Terms};
use crate::plan::CachedCookies;
use crate::time::{Moment, Span};

const SECOND: Duration = Duration::from_secs(1);
const ARRIVED: Moment = Moment(9_000_000_000);
const NOON: &str = "Thu, 26 Nov 2026 12:00:00 GMT";
const DAY_BEFORE: &str = "Wed, 25 Nov 2026 12:00:00 GMT";
const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const COOKIE: (&str, &str) = ("set-cookie", "a=b");

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_694_400)
}

type Lines<'a> = &'a [(&'a str, &'a str)];

/// A `GET` without fields, answered with 200 without fields, which is changed from case to case.
struct Exchange<'a> {
    settings: Settings,
    method: Method,
    has_body: bool,
    asked: Lines<'a>,
    status: u16,
    answered: Lines<'a>,
}

impl Default for Exchange<'_> {
    fn default() -> Self {
        let (method, status) = (Method::GET, 200);
        Self { settings: settings(), method, has_body: false, asked: &[], status, answered: &[] }
    }
}

/// What is stored of these fields.
fn stored(settings: &Settings, headers: &HeaderMap) -> HeaderMap {
    let directives = settings.freshness.directives(headers);
    storing::fields(settings, headers, &directives, noon()).collect()
}

impl Exchange<'_> {
    fn judge(&self) -> Result<Terms, NotStored> {
        let (asked, answered) = (fields(self.asked), fields(self.answered));
        let url = Url { scheme: "https", host: "shop.example", path: "/a", query: Some("b=1") };
        let (method, has_body) = (&self.method, self.has_body);
        let request = Request { method, headers: &asked, has_body, url, is_authenticated: false };
        let status = StatusCode::from_u16(self.status).unwrap();
        let directives = &self.settings.freshness.directives(&answered);
        let response = Response { status, headers: &answered, directives };
        let times = Times { sent: ARRIVED, arrived: ARRIVED, date: noon() };
        judge(&self.settings, &request, &response, &times)
    }

    fn refusal(&self) -> Option<NotStored> {
        self.judge().err()
    }
}

/// Why a response with these fields is not stored that answers a plain `GET`.
fn refusal(answered: Lines<'_>) -> Option<NotStored> {
    Exchange { answered, ..Exchange::default() }.refusal()
}

/// The terms of one that says this in `Cache-Control`.
fn terms(cache_control: &str) -> Terms {
    let answered = &[("cache-control", cache_control), ("etag", "\"a\"")];
    Exchange { answered, ..Exchange::default() }.judge().unwrap()
}

#[test]
fn any_final_status_is_stored_that_says_how_long_it_is_fresh() {
    for status in
        [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599]
    {
        let exchange = Exchange { status, answered: &[FRESH], ..Exchange::default() };
        assert_eq!(exchange.refusal(), None, "{status}");
    }
}

#[test]
fn some_statuses_are_never_stored() {
    for status in [100, 101, 103, 206, 304, 412, 416, 428, 429, 431, 511, 600, 999] {
        let answered = &[("cache-control", "public, max-age=60"), ("etag", "\"a\"")];
        let exchange = Exchange { status, answered, ..Exchange::default() };
        let is_of_part = matches!(status, 206 | 416);
        let refusal = if is_of_part { NotStored::Part } else { NotStored::Status };
        assert_eq!(exchange.refusal(), Some(refusal), "{status}");
    }
}

#[test]
fn without_freshness_it_depends_on_status_and_last_modified() {
    let of = |status, answered| Exchange { status, answered, ..Exchange::default() }.refusal();
    let modified = &[("last-modified", DAY_BEFORE), ("date", NOON)][..];
    let public = &[("last-modified", DAY_BEFORE), ("cache-control", "public")][..];
    for (status, answered, refusal) in [
        (200, modified, None),
        (404, modified, None),
        (302, modified, Some(NotStored::NoFreshness)),
        (503, modified, Some(NotStored::NoFreshness)),
        (599, modified, Some(NotStored::NoFreshness)),
        (599, public, None),
        (200, &[], Some(NotStored::NoFreshness)),
        (200, &[("etag", "\"a\"")], Some(NotStored::NoFreshness)),
        (200, &[("cache-control", "public"), ("etag", "\"a\"")], Some(NotStored::NoFreshness)),
    ] {
        assert_eq!(of(status, answered), refusal, "{status} {answered:?}");
    }
}

#[test]
fn only_get_is_answered_from_a_cache_and_not_with_content() {
    let of = |method: &str, has_body| {
        let method = method.parse().unwrap();
        Exchange { method, has_body, answered: &[FRESH], ..Exchange::default() }.refusal()
    };
    assert_eq!(of("GET", false), None);
    assert_eq!(of("GET", true), Some(NotStored::RequestBody));
    for method in ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY", "M-SEARCH", "get", "POST"]
    {
        assert_eq!(of(method, false), Some(NotStored::Method), "{method}");
    }
}

#[test]
fn a_post_is_stored_for_get_where_its_response_is_what_is_at_the_url() {
    let of = |status, answered: Lines<'_>| {
        let (method, has_body) = (Method::POST, true);
        Exchange { method, has_body, status, answered, ..Exchange::default() }.refusal()
    };
    for location in ["/a?b=1", "https://shop.example/a?b=1"] {
        let answered = [FRESH, ("content-location", location)];
        assert_eq!(of(200, &answered), None, "{location}");
        assert_eq!(of(201, &answered), Some(NotStored::Method));
        assert_eq!(of(200, &answered[1..]), Some(NotStored::Method));
        let stale = [("cache-control", "max-age=0"), ("etag", "\"a\""), answered[1]];
        assert_eq!(of(200, &stale), Some(NotStored::Method));
        assert_eq!(of(200, &[FRESH, answered[1], answered[1]]), Some(NotStored::Method));
    }
    for location in [
        "",
        "/a",
        "/a?b=2",
        "/b?b=1",
        "a?b=1",
        "//shop.example/a?b=1",
        "http://shop.example/a?b=1",
        "https://other.example/a?b=1",
        "https://shop.example.org/a?b=1",
        "/a?b=1#c",
    ] {
        let answered = [FRESH, ("content-location", location)];
        assert_eq!(of(200, &answered), Some(NotStored::Method), "{location}");
    }
}

#[test]
fn no_store_of_either_side_forbids_it() {
    let answered = &[FRESH];
    for (asked, refusal) in [
        (("cache-control", "No-Store"), Some(NotStored::RequestNoStore)),
        (("cache-control", "no-cache, max-age=0"), None),
        (("pragma", "no-cache"), None),
    ] {
        let exchange = Exchange { asked: &[asked], answered, ..Exchange::default() };
        assert_eq!(exchange.refusal(), refusal, "{asked:?}");
    }
    for said in ["no-store", "max-age=60, nO-StOrE", "public, no-store, max-age=60"] {
        let answered = [("cache-control", said), ("expires", "Fri, 27 Nov 2026 12:00:00 GMT")];
        assert_eq!(refusal(&answered), Some(NotStored::NoStore), "{said}");
    }
}

#[test]
fn must_understand_puts_a_known_status_above_no_store() {
    for (status, said, refusal) in [
        (200, "max-age=60, no-store, must-understand", None),
        (404, "max-age=60, no-store, must-understand", None),
        (200, "max-age=60, private, must-understand", Some(NotStored::Private)),
        (299, "max-age=60, must-understand", Some(NotStored::MustUnderstand)),
        (599, "max-age=60, no-store, must-understand", Some(NotStored::MustUnderstand)),
    ] {
        let answered = &[("cache-control", said)];
        let exchange = Exchange { status, answered, ..Exchange::default() };
        assert_eq!(exchange.refusal(), refusal, "{status} {said}");
    }
}

#[test]
fn private_is_about_the_whole_or_about_fields() {
    assert_eq!(refusal(&[("cache-control", "private, max-age=60")]), Some(NotStored::Private));
    assert_eq!(refusal(&[("cache-control", "private=\"a\", max-age=60")]), None);
}

#[test]
fn the_response_to_an_authorized_request_must_say_that_others_may_get_it() {
    for (said, refusal) in [
        ("max-age=60", Some(NotStored::Authorization)),
        ("max-age=60, proxy-revalidate", Some(NotStored::Authorization)),
        ("max-age=60, public", None),
        ("max-age=60, must-revalidate", None),
        ("s-maxage=60", None),
        ("public", Some(NotStored::Authorization)),
        ("max-age=60, public, private", Some(NotStored::Private)),
    ] {
        let asked = &[("authorization", "Basic YTpi")];
        let answered = &[("cache-control", said), ("last-modified", DAY_BEFORE)];
        let exchange = Exchange { asked, answered, ..Exchange::default() };
        assert_eq!(exchange.refusal(), refusal, "{said}");
    }
}

#[test]
fn where_cookies_are_only_explicit_freshness_counts() {
    let expires = ("expires", "Fri, 27 Nov 2026 12:00:00 GMT");
    let modified = ("last-modified", DAY_BEFORE);
    for (answered, is_explicit) in [
        (&[FRESH][..], true),
        (&[expires], true),
        (&[modified], false),
        (&[("cache-control", "public"), modified], false),
        (&[("cache-control", "no-cache"), ("etag", "\"a\"")], false),
        (&[("cache-control", "max-age=0"), ("etag", "\"a\"")], false),
    ] {
        let asked = &[("cookie", "a=b")];
        let of_request = Exchange { asked, answered, ..Exchange::default() }.refusal();
        assert_eq!(of_request, (!is_explicit).then_some(NotStored::Cookie), "{answered:?}");
        let of_response = refusal(&[answered, &[COOKIE]].concat());
        assert_eq!(of_response, (!is_explicit).then_some(NotStored::SetCookie), "{answered:?}");
        assert_eq!(refusal(answered), None, "{answered:?}");
    }
}

#[test]
fn a_ttl_of_the_route_is_not_explicit_unless_the_origin_is_not_listened_to() {
    let of = |ignores_cache_control, answered| {
        let mut settings = settings();
        settings.freshness.ttl = [(200..=200, SECOND * 10)].into();
        settings.freshness.ignores_cache_control = ignores_cache_control;
        let asked = &[("cookie", "a=b")];
        Exchange { settings, asked, answered, ..Exchange::default() }.judge().map(|terms| terms.by)
    };
    assert_eq!(of(false, &[]), Err(NotStored::Cookie));
    assert_eq!(of(false, &[FRESH]), Ok(Source::MaxAge));
    assert_eq!(of(true, &[]), Ok(Source::Ttl));
    assert_eq!(of(true, &[("cache-control", "private, no-store")]), Ok(Source::Ttl));
}

#[test]
fn what_sets_cookies_is_stored_as_the_route_says() {
    let of = |cookies, ignores_set_cookie, answered: Lines<'_>| {
        let mut settings = settings();
        (settings.cookies, settings.ignores_set_cookie) = (cookies, ignores_set_cookie);
        let stored = stored(&settings, &fields(answered));
        let exchange = Exchange { settings, answered, ..Exchange::default() };
        exchange.judge().map(|_| stored.contains_key("set-cookie"))
    };
    let (fresh, modified) = ([FRESH, COOKIE], [("last-modified", DAY_BEFORE), COOKIE]);
    assert_eq!(of(CachedCookies::Explicit, false, &fresh), Ok(true));
    assert_eq!(of(CachedCookies::Never, false, &fresh), Err(NotStored::SetCookie));
    assert_eq!(of(CachedCookies::Strip, false, &fresh), Ok(false));
    assert_eq!(of(CachedCookies::Strip, false, &modified), Err(NotStored::SetCookie));
    assert_eq!(of(CachedCookies::Never, true, &modified), Ok(false));
}

#[test]
fn what_varies_by_anything_is_stored_only_where_that_is_not_looked_at() {
    for vary in ["*", "Accept, *", "*, *"] {
        let answered = &[FRESH, ("vary", vary)];
        assert_eq!(refusal(answered), Some(NotStored::Vary), "{vary}");
        let mut settings = settings();
        settings.vary.ignored = true;
        let exchange = Exchange { settings, answered, ..Exchange::default() };
        assert_eq!(exchange.refusal(), None, "{vary}");
    }
}

#[test]
fn what_is_stale_at_once_is_stored_to_be_validated_or_if_it_may_be_used_so() {
    for said in ["max-age=0", "no-cache", "no-cache, max-age=60", "max-age=60, must-revalidate"] {
        let answered = [("cache-control", said), ("age", "60"), ("etag", "\"a\"")];
        assert_eq!(refusal(&answered), None, "{said}");
        assert_eq!(refusal(&answered[..2]), Some(NotStored::Stale), "{said}");
    }
    for (said, refused) in [
        ("max-age=0, stale-while-revalidate=60", None),
        ("max-age=0, stale-if-error=60", None),
        ("max-age=0, stale-if-error=0", Some(NotStored::Stale)),
        ("max-age=0, stale-if-error=60, proxy-revalidate", Some(NotStored::Stale)),
        ("s-maxage=0, stale-while-revalidate=60", Some(NotStored::Stale)),
    ] {
        assert_eq!(refusal(&[("cache-control", said)]), refused, "{said}");
    }
}

#[test]
fn no_cache_is_stored_only_with_a_status_that_may_be() {
    let answered = &[("cache-control", "no-cache"), ("etag", "\"a\"")];
    assert_eq!(Exchange { answered, ..Exchange::default() }.refusal(), None);
    let refusal = Exchange { status: 500, answered, ..Exchange::default() }.refusal();
    assert_eq!(refusal, Some(NotStored::NoFreshness));
}

#[test]
fn the_terms_say_when_it_arrived_how_old_it_was_and_how_long_it_is_fresh() {
    let answered = &[("cache-control", "max-age=60, immutable"), ("age", "7")];
    let terms = Exchange { answered, ..Exchange::default() }.judge().unwrap();
    let expected = Terms {
        arrived: ARRIVED,
        initial_age: (SECOND * 7).into(),
        lifetime: (SECOND * 60).into(),
        by: Source::MaxAge,
        validate_always: false,
        never_stale: false,
        while_revalidate: SECOND.into(),
        if_error: (SECOND * 2).into(),
        if_disconnected: (SECOND * 3).into(),
        immutable: true,
    };
    assert_eq!(terms, expected);
}

#[test]
fn a_response_says_itself_how_long_it_may_be_stale() {
    let windows = |said: &str| {
        let terms = terms(said);
        [terms.while_revalidate, terms.if_error, terms.if_disconnected]
            .map(|window| window.duration().as_secs())
    };
    assert_eq!(windows("max-age=60"), [1, 2, 3], "as the route has it");
    assert_eq!(windows("max-age=60, stale-while-revalidate=9"), [9, 2, 3]);
    assert_eq!(windows("max-age=60, stale-if-error=9"), [1, 9, 9]);
    assert_eq!(windows("max-age=60, stale-while-revalidate=0, stale-if-error=x"), [0, 0, 0]);
}

#[test]
fn nothing_lets_a_response_be_stale_that_forbids_it() {
    for said in ["no-cache", "must-revalidate", "proxy-revalidate", "s-maxage=60", "s-maxage=x"] {
        let terms =
            terms(&format!("{said}, max-age=60, stale-while-revalidate=9, stale-if-error=9"));
        let windows = [terms.while_revalidate, terms.if_error, terms.if_disconnected];
        assert_eq!((terms.never_stale, windows), (true, [Span::default(); 3]), "{said}");
        assert_eq!(terms.validate_always, said == "no-cache");
    }
    let of_fields = terms("no-cache=\"a\", max-age=60");
    assert_eq!((of_fields.never_stale, of_fields.validate_always), (false, false));
}

#[test]
fn a_targeted_field_decides_alone() {
    for (targeted, said, expected) in [
        ("max-age=60", "no-store", Ok(Source::Targeted)),
        ("max-age=60", "private", Ok(Source::Targeted)),
        ("private", "max-age=60", Err(NotStored::Private)),
        ("no-store", "max-age=60", Err(NotStored::NoStore)),
        ("no-cache", "max-age=60", Err(NotStored::Stale)),
        ("max-age=0", "max-age=60", Err(NotStored::Stale)),
        ("max-age=60, &&&", "no-store", Err(NotStored::NoStore)),
        ("max-age=\"60\"", "no-store", Err(NotStored::NoStore)),
    ] {
        let answered = &[
            ("cdn-cache-control", targeted),
            ("cache-control", said),
            ("expires", "Fri, 27 Nov 2026 12:00:00 GMT"),
            ("date", NOON),
        ];
        let judged = Exchange { answered, ..Exchange::default() }.judge();
        assert_eq!(judged.map(|terms| terms.by), expected, "{targeted}; {said}");
    }
}

#[test]
fn fields_of_a_connection_and_for_a_proxy_are_not_stored() {
    let answered = fields(&[
        FRESH,
        ("connection", "close, A"),
        ("connection", "b,, content-length"),
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
        ("c", "4"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("proxy-authentication-info", "x"),
        ("proxy-authorization", "x"),
        ("proxy-connection", "x"),
        ("te", "x"),
        ("trailer", "x"),
        ("transfer-encoding", "x"),
        ("upgrade", "x"),
        ("content-length", "5"),
        ("set-cookie", "a=b"),
        ("age", "3"),
        ("date", DAY_BEFORE),
    ]);
    let expected = fields(&[
        FRESH,
        ("c", "3"),
        ("c", "4"),
        ("content-length", "5"),
        ("set-cookie", "a=b"),
        ("age", "3"),
        ("date", DAY_BEFORE),
    ]);
    let stored = stored(&settings(), &answered);
    assert_eq!(stored, expected);
}

#[test]
fn fields_that_no_cache_and_private_name_are_not_stored() {
    let kept = |said: Lines<'_>| {
        let answered = [said, &[("a", "1"), ("x-b", "2"), ("c", "3")]].concat();
        let stored = stored(&settings(), &fields(&answered));
        ["a", "x-b", "c"].map(|name| stored.contains_key(name))
    };
    assert_eq!(kept(&[("cache-control", "no-cache=\"a, X-B\"")]), [false, false, true]);
    assert_eq!(kept(&[("cache-control", "private=\"c\", no-cache=\"a\"")]), [false, true, false]);
    let targeted = [("cdn-cache-control", "private=\"c\""), ("cache-control", "private=\"a\"")];
    assert_eq!(kept(&targeted), [true, true, false]);
}

#[test]
fn a_response_without_a_date_is_dated_when_it_arrived() {
    let dates = |lines: Lines<'_>| {
        let stored = stored(&settings(), &fields(lines));
        stored
            .get_all("date")
            .iter()
            .map(|date| date.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(dates(&[]), [NOON]);
    assert_eq!(dates(&[("date", DAY_BEFORE)]), [DAY_BEFORE]);
}

#[test]
fn a_certificate_that_the_upstream_is_told_of_is_a_credential() {
    let asked: Lines<'_> = &[("client-cert", ":AAAA:")];
    let refusal = |answered| Exchange { asked, answered, ..Exchange::default() }.refusal();
    assert_eq!(refusal(&[FRESH]), Some(NotStored::Authorization));
    assert_eq!(refusal(&[("cache-control", "public, max-age=60")]), None);
    assert_eq!(
        refusal(&[("cache-control", "public, max-age=60"), ("vary", "client-cert")]),
        Some(NotStored::Vary)
    );
}
