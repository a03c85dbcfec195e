//! Whatever stands in the fields that a cache looks at, nothing is stored that says `no-store`, what is selected is selected
//! again, and ranges lie within the content.

use std::time::{Duration, SystemTime};

use http::header::{
    AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, RANGE, VARY,
};
use http::{HeaderMap, Method, StatusCode};
use tidegate_core::cache::age::Times;
use tidegate_core::cache::conditional::{is_not_modified, validate};
use tidegate_core::cache::directives::{OfRequest, OfResponse, Scope};
use tidegate_core::cache::freshness::{Freshness, FreshnessRule};
use tidegate_core::cache::range::{Selected, select};
use tidegate_core::cache::tags::Tags;
use tidegate_core::cache::vary::{Vary, VaryRule};
use tidegate_core::cache::{age, invalidation, key};
use tidegate_core::plan::VaryComparison;
use tidegate_core::time::Moment;

/// Bytes of the content that ranges are selected of.
const LENGTH: u64 = 1_000;

/// Fields of a response and of a request by turns, a line for each value.
pub fn cache_fields(bytes: &[u8]) {
    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");
    const TAGS: HeaderName = HeaderName::from_static("surrogate-key");
    let names = [
        CACHE_CONTROL,
        RANGE,
        VARY,
        IF_NONE_MATCH,
        EXPIRES,
        IF_MODIFIED_SINCE,
        AGE,
        DATE,
        ETAG,
        LAST_MODIFIED,
        CDN,
        TAGS,
    ];
    let mut fields = HeaderMap::new();
    for (line, name) in bytes.split(|byte| *byte == b'\n').zip(names.iter().cycle()).take(48) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            fields.append(name, value);
        }
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    check_directives(&fields, now, CDN);
    check_vary(&fields);
    check_range(&fields, now);
    let times = Times { sent: Moment(5), arrived: Moment(7), date: now };
    assert!(age::initial(&fields, &times) >= Duration::from_nanos(2), "no younger than its way");
    let mut request = fields.clone();
    validate(&mut request, &fields);
    assert!(!request.contains_key(RANGE), "the whole is validated");
    let _ = is_not_modified(&fields, &Method::GET, StatusCode::OK, &fields, now);
    let _ = Tags::take(&mut fields.clone(), &[TAGS]);
    let url = key::Url { scheme: "http", host: "a", path: "/b/c", query: None };
    for (path, _) in invalidation::places(&url, &fields) {
        assert!(path.starts_with('/'), "{path}");
    }
}

fn check_directives(fields: &HeaderMap, now: SystemTime, targeted: HeaderName) {
    let rule = FreshnessRule {
        targeted: [targeted].into(),
        ttl: [].into(),
        ignores_cache_control: false,
        ignores_expires: false,
    };
    let (asked, own) = (OfRequest::of(fields), OfResponse::of(fields));
    let plain = |word: &str| {
        let mut lines = fields.get_all(CACHE_CONTROL).iter();
        lines.any(|line| line.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
    };
    assert!(!plain("no-store") || own.no_store && asked.no_store, "it is not overheard");
    assert!(!plain("private") || own.private == Scope::Whole, "it is not overheard");
    let directives = rule.directives(fields);
    let freshness = Freshness::of(&rule, StatusCode::OK, fields, &directives, now);
    assert!(freshness.lifetime <= Duration::from_secs(1 << 40));
}

fn check_vary(fields: &HeaderMap) {
    for comparison in [VaryComparison::Normalised, VaryComparison::Exact] {
        let rule = VaryRule { comparison, ignored: false };
        let Some(vary) = Vary::of(&rule, fields, fields) else { continue };
        assert!(vary.matches(&rule, fields), "the request that it was stored for");
    }
}

fn check_range(fields: &HeaderMap, now: SystemTime) {
    if let Selected::Parts(parts) = select(fields, &Method::GET, fields, now, LENGTH) {
        assert!(!parts.is_empty());
        let mut end = 0;
        for part in &parts {
            assert!(part.start < part.end && part.end <= LENGTH && (end == 0 || end < part.start));
            end = part.end;
        }
    }
}
