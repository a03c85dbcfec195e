//! What RFC 9111 forbids, written from its text alone, against what is judged of random exchanges.
//!
//! The oracle looks at what an exchange means and never at its fields, which are written from the same.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{fields, settings};
use crate::cache::age::Times;
use crate::cache::key::Url;
use crate::cache::storing::{self, Request, Response, judge};
use crate::cache::{Settings, Terms};
use crate::time::{Moment, Span};

/// Thu, 26 Nov 2026 12:00:00 GMT by the clock on the wall, when the response arrives.
const NOON: i64 = 1_795_694_400;
const DAY: i64 = 86_400;

/// A directive of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    MaxAge(i64),
    SMaxage(i64),
    NoCache,
    NoCacheOf(&'static str),
    Private,
    PrivateOf(&'static str),
    NoStore,
    MustRevalidate,
    ProxyRevalidate,
    MustUnderstand,
    Public,
    StaleWhileRevalidate(i64),
    StaleIfError(i64),
    Unknown,
}

/// What a request and its response mean. Times are seconds from [`NOON`].
#[derive(Debug, Clone)]
struct Exchange {
    method: &'static str,
    has_body: bool,
    is_authorized: bool,
    has_cookie: bool,
    wants_no_store: bool,
    status: u16,
    cache_control: Vec<Says>,
    targeted: Option<Vec<Says>>,
    expires: Option<i64>,
    date: Option<i64>,
    modified: Option<i64>,
    age: Option<i64>,
    has_etag: bool,
    sets_cookie: bool,
    varies_by_all: bool,
    /// From the request to the response.
    delay: i64,
    /// How it is written.
    style: Style,
}

#[derive(Debug, Clone, Copy)]
struct Style {
    is_upper_case: bool,
    is_quoted: bool,
    is_one_line: bool,
}

/// What the RFCs say of an exchange.
impl Exchange {
    /// What counts: a targeted field in place of `Cache-Control` (RFC 9213 §2.2: the cache MUST ignore the others).
    fn directives(&self) -> &[Says] {
        self.targeted.as_deref().unwrap_or(&self.cache_control)
    }

    fn says(&self, directive: Says) -> bool {
        self.directives().contains(&directive)
    }

    fn s_maxage(&self) -> Option<i64> {
        self.directives()
            .iter()
            .find_map(|one| if let Says::SMaxage(s) = one { Some(*s) } else { None })
    }

    fn max_age(&self) -> Option<i64> {
        self.directives()
            .iter()
            .find_map(|one| if let Says::MaxAge(s) = one { Some(*s) } else { None })
    }

    fn counted_expires(&self) -> Option<i64> {
        self.expires.filter(|_| self.targeted.is_none())
    }

    /// RFC 9110 §15.1.
    fn is_heuristically_cacheable(&self) -> bool {
        [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501].contains(&self.status)
    }

    /// RFC 9111 §3: "A cache MUST NOT store a response to a request unless", and which of that is not given.
    fn forbids_storing(&self) -> Option<&'static str> {
        let is_post_for_get = self.method == "POST" && self.status == 200;
        let is_known = !matches!(self.status, 206 | 299 | 304 | 429 | 599);
        let is_explicit = self.max_age().or(self.s_maxage()).or(self.counted_expires()).is_some();
        let may_share_authorized =
            self.says(Says::Public) || self.says(Says::MustRevalidate) || self.s_maxage().is_some();
        let rules = [
            ("the method", self.method != "GET" && !is_post_for_get),
            (
                "a GET with content: it has no meaning (RFC 9110 §9.3.1)",
                self.method == "GET" && self.has_body,
            ),
            ("a response that is not final", self.status < 200),
            ("206 or 304 that is not understood", matches!(self.status, 206 | 304)),
            ("must-understand of an unknown status", self.says(Says::MustUnderstand) && !is_known),
            ("no-store (§5.2.2.5)", self.says(Says::NoStore) && !self.says(Says::MustUnderstand)),
            ("no-store of the request (§5.2.1.5)", self.wants_no_store),
            ("private in a shared cache (§5.2.2.7)", self.says(Says::Private)),
            ("authorization (§3.5)", self.is_authorized && !may_share_authorized),
            (
                "nothing that makes it cacheable",
                !is_explicit && !self.says(Says::Public) && !self.is_heuristically_cacheable(),
            ),
            ("429 (RFC 6585 §4)", self.status == 429),
            ("Vary: * (§4.1: always fails to match)", self.varies_by_all),
            // Not of an RFC, but promised.
            (
                "a cookie without explicit freshness",
                (self.has_cookie || self.sets_cookie) && !is_explicit,
            ),
        ];
        rules.iter().find(|(_, holds)| *holds).map(|(rule, _)| *rule)
    }

    /// RFC 9111 §4.2.1, and §4.2.2: a tenth and a day are what is promised.
    fn lifetime(&self) -> i64 {
        let came = self.date.unwrap_or(0);
        if let Some(seconds) = self.s_maxage().or(self.max_age()) {
            return seconds;
        }
        if let Some(expires) = self.counted_expires() {
            return (expires - came).max(0);
        }
        let may_be_guessed = self.is_heuristically_cacheable() || self.says(Says::Public);
        let unmodified =
            self.modified.filter(|_| may_be_guessed).map_or(0, |modified| came - modified);
        (unmodified.max(0) / 10).min(DAY)
    }

    /// RFC 9111 §4.2.3, `resident` seconds after it arrived.
    fn age(&self, resident: i64) -> i64 {
        let apparent = self.date.map_or(0, |date| -date).max(0);
        apparent.max(self.age.unwrap_or(0) + self.delay) + resident
    }

    /// RFC 9111 §4.2.4: "A cache MUST NOT generate a stale response if it is prohibited by an explicit in-protocol
    /// directive (e.g., by a no-cache response directive, a must-revalidate response directive, or an applicable
    /// s-maxage or proxy-revalidate response directive".
    fn forbids_stale(&self) -> bool {
        let directives = [Says::NoCache, Says::MustRevalidate, Says::ProxyRevalidate];
        directives.into_iter().any(|directive| self.says(directive)) || self.s_maxage().is_some()
    }

    /// RFC 9111 §3.1: fields that MUST NOT be stored.
    fn kept_back(&self) -> Vec<&'static str> {
        let named = self.directives().iter().filter_map(|one| match one {
            Says::NoCacheOf(name) | Says::PrivateOf(name) => Some(*name),
            _ => None,
        });
        named.chain(["connection", "x-hop", "keep-alive", "proxy-authenticate", "te"]).collect()
    }
}

/// How an exchange is written.
impl Exchange {
    fn request(&self) -> HeaderMap {
        let lines = [
            ("authorization", self.is_authorized.then_some("Basic YTpi")),
            ("cookie", self.has_cookie.then_some("a=b")),
            ("cache-control", self.wants_no_store.then_some("max-age=0, no-store")),
        ];
        let lines = lines.into_iter().filter_map(|(name, value)| Some((name, value?)));
        fields(&lines.collect::<Vec<_>>())
    }

    fn response(&self) -> HeaderMap {
        let mut lines = vec![("connection", "x-hop".to_owned())];
        for name in ["x-hop", "x-a", "x-b", "keep-alive", "proxy-authenticate", "te"] {
            lines.push((name, "1".to_owned()));
        }
        let said = self.cache_control.iter().map(|one| self.style.write(*one)).collect::<Vec<_>>();
        match self.style.is_one_line {
            true => lines.push(("cache-control", said.join(" ,"))),
            false => lines.extend(said.into_iter().map(|one| ("cache-control", one))),
        }
        if let Some(targeted) = &self.targeted {
            let plain = Style { is_upper_case: false, is_quoted: false, is_one_line: true };
            let said = targeted.iter().map(|one| plain.write(*one)).collect::<Vec<_>>();
            lines.push(("cdn-cache-control", said.join(", ")));
        }
        let dates =
            [("expires", self.expires), ("date", self.date), ("last-modified", self.modified)];
        lines.extend(dates.into_iter().filter_map(|(name, at)| Some((name, date(at?)))));
        lines.extend(self.age.map(|age| ("age", age.to_string())));
        lines.extend(self.has_etag.then(|| ("etag", "\"a\"".into())));
        lines.extend(self.sets_cookie.then(|| ("set-cookie", "a=b".into())));
        lines.extend(self.varies_by_all.then(|| ("vary", "accept, *".into())));
        let url = (self.method == "POST").then(|| ("content-location", "/a".into()));
        lines.extend(url);
        fields(&lines)
    }

    fn judge(&self, settings: &Settings) -> Option<Terms> {
        let (asked, answered) = (self.request(), self.response());
        let url = Url { scheme: "https", host: "shop.example", path: "/a", query: None };
        let (method, has_body) = (&self.method.parse::<Method>().unwrap(), self.has_body);
        let request = Request { method, headers: &asked, has_body, url, is_authenticated: false };
        let status = StatusCode::from_u16(self.status).unwrap();
        let directives = &settings.freshness.directives(&answered);
        let response = Response { status, headers: &answered, directives };
        judge(settings, &request, &response, &self.times()).ok()
    }

    fn times(&self) -> Times {
        let sent = Moment(5_000_000_000);
        let arrived = sent.after(Duration::from_secs(self.delay.unsigned_abs()));
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON.unsigned_abs());
        Times { sent, arrived, date }
    }
}

impl Style {
    fn write(self, says: Says) -> String {
        let quote = if self.is_quoted { "\"" } else { "" };
        let number = |name, seconds| format!("{name}={quote}{seconds}{quote}");
        let text = match says {
            Says::MaxAge(seconds) => number("max-age", seconds),
            Says::SMaxage(seconds) => number("s-maxage", seconds),
            Says::StaleWhileRevalidate(seconds) => number("stale-while-revalidate", seconds),
            Says::StaleIfError(seconds) => number("stale-if-error", seconds),
            Says::NoCache => "no-cache".into(),
            Says::NoCacheOf(name) => format!("no-cache=\"{name}\""),
            Says::Private => "private".into(),
            Says::PrivateOf(name) => format!("private=\"{name}, x-other\""),
            Says::NoStore => "no-store".into(),
            Says::MustRevalidate => "must-revalidate".into(),
            Says::ProxyRevalidate => "proxy-revalidate".into(),
            Says::MustUnderstand => "must-understand".into(),
            Says::Public => "public".into(),
            Says::Unknown => "unknown=\"public, max-age=9999, s-maxage=9999\"".into(),
        };
        if self.is_upper_case { text.to_ascii_uppercase() } else { text }
    }
}

fn date(at: i64) -> String {
    let at = Duration::from_secs((NOON + at).unsigned_abs());
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + at)
}

/// Up to four directives, none twice, in any order.
fn directives() -> impl Strategy<Value = Vec<Says>> {
    (0..100_i64, 0..100_i64, 0..100_i64, 0..100_i64).prop_flat_map(|(one, two, three, four)| {
        let all = vec![
            Says::MaxAge(one),
            Says::SMaxage(two),
            Says::StaleWhileRevalidate(three),
            Says::StaleIfError(four),
            Says::NoCache,
            Says::NoCacheOf("x-a"),
            Says::Private,
            Says::PrivateOf("x-b"),
            Says::NoStore,
            Says::MustRevalidate,
            Says::ProxyRevalidate,
            Says::MustUnderstand,
            Says::Public,
            Says::Unknown,
        ];
        subsequence(all, 0..=4)
            .prop_filter("one scope a directive", |all| has_one_scope(all))
            .prop_shuffle()
    })
}

/// In a dictionary the last member of a name counts.
fn has_one_scope(all: &[Says]) -> bool {
    let both = |one, other| all.contains(&one) && all.contains(&other);
    !both(Says::NoCache, Says::NoCacheOf("x-a")) && !both(Says::Private, Says::PrivateOf("x-b"))
}

/// Something in one of four.
fn seldom<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.25, of)
}

fn exchanges() -> impl Strategy<Value = Exchange> {
    let rarely = || proptest::bool::weighted(0.1);
    let request = (
        prop_oneof![6 => Just("GET"), 1 => select(vec!["POST", "HEAD", "PUT", "M-SEARCH"])],
        rarely(),
        proptest::bool::weighted(0.3),
        rarely(),
        rarely(),
    );
    let statuses = [200, 204, 206, 299, 302, 304, 404, 429, 500, 503, 599];
    let status = prop_oneof![2 => Just(200), 1 => select(statuses.to_vec())];
    let targeted =
        seldom(directives().prop_filter("an empty one does not count", |all| !all.is_empty()));
    let dates =
        (seldom(-100..100_i64), proptest::option::of(-100..100_i64), seldom(-20 * DAY..100));
    let rest = (seldom(0..100_i64), any::<bool>(), rarely(), rarely(), 0..5_i64);
    let style = (any::<bool>(), any::<bool>(), any::<bool>());
    (request, status, directives(), targeted, dates, rest, style).prop_map(
        |(request, status, cache_control, targeted, dates, rest, style)| {
            let (method, has_body, is_authorized, has_cookie, wants_no_store) = request;
            let (expires, date, modified) = dates;
            let (age, has_etag, sets_cookie, varies_by_all, delay) = rest;
            let (is_upper_case, is_quoted, is_one_line) = style;
            let style = Style { is_upper_case, is_quoted, is_one_line };
            Exchange {
                method,
                has_body,
                is_authorized,
                has_cookie,
                wants_no_store,
                status,
                cache_control,
                targeted,
                expires,
                date,
                modified,
                age,
                has_etag,
                sets_cookie,
                varies_by_all,
                delay,
                style,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn nothing_is_stored_that_must_not_be(exchange in exchanges()) {
        if exchange.judge(&settings()).is_some() {
            prop_assert_eq!(exchange.forbids_storing(), None);
        }
    }

    #[test]
    fn nothing_is_used_that_must_not_be(exchange in exchanges(), later in seldom(0..300_i64)) {
        let Some(terms) = exchange.judge(&settings()) else { return Ok(()) };
        // In most cases at the moment at which it becomes stale, where that is ahead.
        let resident = later.unwrap_or((exchange.lifetime() - exchange.age(0)).max(0));
        let now = terms.arrived.after(Duration::from_secs(resident.unsigned_abs()));
        if terms.is_fresh(now) {
            prop_assert!(exchange.lifetime() > exchange.age(resident));
        } else {
            // It is not kept longer than it has to be either.
            prop_assert!(exchange.lifetime() <= exchange.age(resident));
        }
        // §5.2.2.4: it MUST NOT be used without successful validation.
        prop_assert_eq!(terms.validate_always, exchange.says(Says::NoCache));
        prop_assert_eq!(terms.never_stale, exchange.forbids_stale());
        let windows = [terms.while_revalidate, terms.if_error, terms.if_disconnected];
        if exchange.forbids_stale() {
            prop_assert_eq!(windows, [Span::default(); 3]);
        }
        // §5.1: an Age is at least the time that it was seen by.
        prop_assert_eq!(terms.age(now).as_secs(), exchange.age(resident).unsigned_abs());
    }

    #[test]
    fn no_field_is_stored_that_must_not_be(exchange in exchanges()) {
        let response = exchange.response();
        let directives = settings().freshness.directives(&response);
        let date = exchange.times().date;
        let stored: HeaderMap = storing::fields(&settings(), &response, &directives, date).collect();
        for name in exchange.kept_back() {
            prop_assert!(!stored.contains_key(name), "{}", name);
        }
    }

    #[test]
    fn what_is_fresh_and_not_forbidden_is_stored(exchange in exchanges()) {
        let is_explicit = exchange.s_maxage().or(exchange.max_age()).is_some();
        let is_fresh = is_explicit && exchange.lifetime() > exchange.age(0);
        if is_fresh && exchange.forbids_storing().is_none() && !exchange.says(Says::NoCache) {
            prop_assert!(exchange.judge(&settings()).is_some());
        }
    }
}
