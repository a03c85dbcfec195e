//! How long a response is fresh (RFC 9111 §4.2.1).

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use http::header::{DATE, EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, StatusCode};

use super::directives::OfResponse;
use super::{date, targeted};

/// How much of the time since it was modified a response is fresh, where nothing says how long it is.
const HEURISTIC_PART: u64 = 10;
/// For how long it is so at most.
const LONGEST_HEURISTIC: Duration = Duration::from_secs(24 * 60 * 60);

/// How that is found out.
#[derive(Debug)]
pub struct FreshnessRule {
    /// Fields that take the place of `Cache-Control` (RFC 9213), the one that counts first.
    pub targeted: Box<[HeaderName]>,
    /// How long responses of a status are fresh that do not say it themselves; the first range that has it counts.
    pub ttl: Box<[(RangeInclusive<u16>, Duration)]>,
    /// Whether `Cache-Control`, and what takes its place, is not looked at.
    pub ignores_cache_control: bool,
    /// Whether `Expires` is not looked at.
    pub ignores_expires: bool,
}

impl FreshnessRule {
    /// The directives that count of a response with these fields.
    pub fn directives(&self, headers: &HeaderMap) -> OfResponse {
        if self.ignores_cache_control {
            return OfResponse::default();
        }
        targeted::of(headers, &self.targeted).unwrap_or_else(|| OfResponse::of(headers))
    }

    fn ttl(&self, status: StatusCode) -> Option<Duration> {
        let range = self.ttl.iter().find(|(statuses, _)| statuses.contains(&status.as_u16()));
        range.map(|(_, ttl)| *ttl)
    }
}

/// How long a response is fresh, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The age until which it is fresh.
    pub lifetime: Duration,
    /// How that is known.
    pub by: Source,
}

impl Freshness {
    /// That of a response of this `status` with these fields, which came at `now`.
    pub fn of(
        rule: &FreshnessRule,
        status: StatusCode,
        headers: &HeaderMap,
        directives: &OfResponse,
        now: SystemTime,
    ) -> Self {
        let found = said(directives)
            .or_else(|| {
                let counts = !directives.is_targeted && !rule.ignores_expires;
                let lifetime = counts.then(|| until_expires(headers, now)).flatten()?;
                Some((lifetime, Source::Expires))
            })
            .or_else(|| Some((rule.ttl(status)?, Source::Ttl)))
            .or_else(|| {
                let is_allowed = directives.public || is_heuristically_cacheable(status);
                let lifetime = is_allowed.then(|| heuristic(headers, now)).flatten()?;
                Some((lifetime, Source::Heuristic))
            });
        let (lifetime, by) = found.unwrap_or((Duration::ZERO, Source::None));
        Self { lifetime, by }
    }
}

/// How it is known how long a response is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// By a targeted field (RFC 9213).
    Targeted,
    /// By `s-maxage`.
    SMaxage,
    /// By `max-age`.
    MaxAge,
    /// By `Expires`.
    Expires,
    /// By the route's `ttl`.
    Ttl,
    /// By `Last-Modified` (RFC 9111 §4.2.2).
    Heuristic,
    /// It is not known, and it is never fresh.
    None,
}

impl Source {
    const ALL: [Self; 7] = [
        Self::Targeted,
        Self::SMaxage,
        Self::MaxAge,
        Self::Expires,
        Self::Ttl,
        Self::Heuristic,
        Self::None,
    ];

    /// The one with this label.
    pub fn labelled(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.label() == label)
    }

    /// Whether the origin says it.
    pub const fn is_explicit(self) -> bool {
        matches!(self, Self::Targeted | Self::SMaxage | Self::MaxAge | Self::Expires)
    }

    /// How people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Targeted => "targeted",
            Self::SMaxage => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "expires",
            Self::Ttl => "ttl",
            Self::Heuristic => "heuristic",
            Self::None => "none",
        }
    }
}

/// Whether a response of this status may be stored although nothing says how long it is fresh (RFC 9110 §15.1).
pub const fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

fn said(directives: &OfResponse) -> Option<(Duration, Source)> {
    let s_maxage = directives.s_maxage.map(|lifetime| (lifetime, Source::SMaxage));
    let max_age = directives.max_age.map(|lifetime| (lifetime, Source::MaxAge));
    let (lifetime, by) = s_maxage.or(max_age)?;
    Some((lifetime, if directives.is_targeted { Source::Targeted } else { by }))
}

/// From `Date`, or else from `now`, to `Expires`: nothing where that is no date, as it is in the past then (RFC 9111
/// §5.3).
fn until_expires(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    headers.get(EXPIRES)?;
    let until = date::of(headers, EXPIRES, now);
    let lifetime = until.and_then(|until| until.duration_since(came(headers, now)).ok());
    Some(lifetime.unwrap_or_default())
}

fn heuristic(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let modified = date::of(headers, LAST_MODIFIED, now)?;
    let unmodified = came(headers, now).duration_since(modified).ok()?;
    let lifetime = Duration::from_secs(unmodified.as_secs() / HEURISTIC_PART);
    Some(lifetime.min(LONGEST_HEURISTIC))
}

/// When the origin sent the response, by its clock, or when it came, by ours.
fn came(headers: &HeaderMap, now: SystemTime) -> SystemTime {
    date::of(headers, DATE, now).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CACHE_CONTROL;

    use super::*;

    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");
    /// A minute after [`NOON`].
    const NOW: Duration = Duration::from_secs(1_795_694_460);
    const NOON: &str = "Thu, 26 Nov 2026 12:00:00 GMT";
    const HOUR_LATER: &str = "Thu, 26 Nov 2026 13:00:00 GMT";
    const DAY_BEFORE: &str = "Wed, 25 Nov 2026 12:00:00 GMT";
    const HOUR: u64 = 3600;

    fn rule() -> FreshnessRule {
        FreshnessRule {
            targeted: [CDN].into(),
            ttl: [(404..=404, 10), (400..=499, 5)]
                .map(|(range, ttl)| (range, Duration::from_secs(ttl)))
                .into(),
            ignores_cache_control: false,
            ignores_expires: false,
        }
    }

    type Lines<'a> = &'a [(HeaderName, &'static str)];

    fn found(rule: &FreshnessRule, status: u16, lines: Lines<'_>) -> (u64, Source) {
        let lines =
            lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let headers = HeaderMap::from_iter(lines);
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let now = SystemTime::UNIX_EPOCH + NOW;
        let freshness = Freshness::of(rule, status, &headers, &rule.directives(&headers), now);
        (freshness.lifetime.as_secs(), freshness.by)
    }

    #[test]
    fn the_first_of_the_rules_that_says_something_counts() {
        let lines = [
            (CDN, "max-age=1"),
            (CACHE_CONTROL, "s-maxage=2, max-age=3"),
            (EXPIRES, HOUR_LATER),
            (LAST_MODIFIED, DAY_BEFORE),
            (DATE, NOON),
        ];
        assert_eq!(found(&rule(), 200, &lines), (1, Source::Targeted));
        assert_eq!(found(&rule(), 200, &lines[1..]), (2, Source::SMaxage));
        assert_eq!(found(&rule(), 200, &lines[2..]), (HOUR, Source::Expires));
        assert_eq!(found(&rule(), 404, &lines[3..]), (10, Source::Ttl));
        assert_eq!(found(&rule(), 410, &lines[3..]), (5, Source::Ttl));
        assert_eq!(found(&rule(), 200, &lines[3..]), (HOUR * 24 / 10, Source::Heuristic));
        assert_eq!(found(&rule(), 200, &lines[4..]), (0, Source::None));
    }

    #[test]
    fn s_maxage_counts_before_max_age_in_any_order() {
        for (value, lifetime) in [
            ("max-age=3600, s-maxage=1", (1, Source::SMaxage)),
            ("s-maxage=1, max-age=3600", (1, Source::SMaxage)),
            ("max-age=0, s-maxage=3600", (3600, Source::SMaxage)),
            ("max-age=3600", (3600, Source::MaxAge)),
            ("max-age=0", (0, Source::MaxAge)),
            ("max-age=-1", (0, Source::MaxAge)),
        ] {
            for expires in [HOUR_LATER, DAY_BEFORE, "0"] {
                let lines = [(CACHE_CONTROL, value), (EXPIRES, expires), (DATE, NOON)];
                assert_eq!(found(&rule(), 200, &lines), lifetime, "{value}, {expires}");
            }
        }
    }

    #[test]
    fn expires_is_seen_from_the_date_of_the_response() {
        for (lines, lifetime) in [
            (&[(EXPIRES, HOUR_LATER), (DATE, NOON)][..], HOUR),
            (&[(EXPIRES, HOUR_LATER)], HOUR - 60),
            (&[(EXPIRES, HOUR_LATER), (DATE, "foo")], HOUR - 60),
            (&[(EXPIRES, NOON), (DATE, NOON)], 0),
            (&[(EXPIRES, HOUR_LATER), (DATE, "Thu, 26 Nov 2026 14:00:00 GMT")], 0),
            (&[(EXPIRES, DAY_BEFORE), (DATE, NOON)], 0),
            (&[(EXPIRES, "thursday, 26-nov-26 13:00:00 gmt"), (DATE, NOON)], HOUR),
            (&[(EXPIRES, "Thu Nov 26 13:00:00 2026"), (DATE, NOON)], HOUR),
        ] {
            assert_eq!(found(&rule(), 200, lines), (lifetime, Source::Expires), "{lines:?}");
        }
    }

    #[test]
    fn an_expires_that_is_no_date_is_the_past_and_nothing_else_is_asked() {
        for value in ["", "0", "-1", "never", "Thu, 26 Nov 2026 13:00:00 UTC", "3600"] {
            let lines = [(EXPIRES, value), (DATE, NOON), (LAST_MODIFIED, DAY_BEFORE)];
            for status in [200, 404] {
                assert_eq!(found(&rule(), status, &lines), (0, Source::Expires), "{value}");
            }
        }
    }

    #[test]
    fn only_some_statuses_or_public_ones_are_fresh_by_last_modified() {
        let of = |status, cache_control| {
            let lines = [(LAST_MODIFIED, DAY_BEFORE), (DATE, NOON), (CACHE_CONTROL, cache_control)];
            found(&FreshnessRule { ttl: [].into(), ..rule() }, status, &lines)
        };
        for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
            assert_eq!(of(status, ""), (HOUR * 24 / 10, Source::Heuristic), "{status}");
        }
        for status in [201, 202, 299, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599] {
            assert_eq!(of(status, ""), (0, Source::None), "{status}");
            assert_eq!(of(status, "public"), (HOUR * 24 / 10, Source::Heuristic), "{status}");
        }
    }

    #[test]
    fn last_modified_makes_fresh_for_a_tenth_of_its_age_and_a_day_at_most() {
        for (modified, expected) in [
            ("Thu, 26 Nov 2026 11:59:00 GMT", (6, Source::Heuristic)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", (HOUR * 24, Source::Heuristic)),
            (NOON, (0, Source::Heuristic)),
            (HOUR_LATER, (0, Source::None)),
            ("yesterday", (0, Source::None)),
        ] {
            let lines = [(LAST_MODIFIED, modified), (DATE, NOON)];
            assert_eq!(found(&rule(), 200, &lines), expected, "{modified}");
        }
        assert_eq!(found(&rule(), 200, &[(LAST_MODIFIED, NOON)]), (6, Source::Heuristic));
    }

    #[test]
    fn a_targeted_field_takes_the_place_of_cache_control_and_expires() {
        let others = [(CACHE_CONTROL, "max-age=60"), (EXPIRES, HOUR_LATER), (DATE, NOON)];
        for (value, expected) in [
            ("max-age=10", (10, Source::Targeted)),
            ("s-maxage=20, max-age=10", (20, Source::Targeted)),
            ("max-age=0", (0, Source::Targeted)),
            ("no-cache", (0, Source::None)),
            ("foo", (0, Source::None)),
            ("max-age=\"10\"", (60, Source::MaxAge)),
            ("", (60, Source::MaxAge)),
        ] {
            let mut lines = others.to_vec();
            lines.push((CDN, value));
            assert_eq!(found(&rule(), 200, &lines), expected, "{value}");
        }
    }

    #[test]
    fn what_a_route_ignores_does_not_count() {
        let lines = [
            (CDN, "max-age=1"),
            (CACHE_CONTROL, "max-age=2, no-store"),
            (EXPIRES, HOUR_LATER),
            (DATE, NOON),
        ];
        let rule = |cache_control, expires| FreshnessRule {
            ignores_cache_control: cache_control,
            ignores_expires: expires,
            ..rule()
        };
        assert_eq!(found(&rule(true, false), 404, &lines), (HOUR, Source::Expires));
        assert_eq!(found(&rule(true, true), 404, &lines), (10, Source::Ttl));
        assert_eq!(found(&rule(false, true), 404, &lines[2..]), (10, Source::Ttl));
        assert_eq!(found(&rule(false, true), 404, &lines), (1, Source::Targeted));
    }
}
