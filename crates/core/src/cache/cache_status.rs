//! `Cache-Status` (RFC 9211): what became of a request in this cache.

use http::header::CACHE_STATUS;
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub struct CacheStatus<'a> {
    /// Name of the gateway, a token (RFC 9651 §3.3.4).
    pub gateway: &'a str,
    /// Where the response came from.
    pub outcome: Outcome,
    /// Why, as a token.
    pub detail: Option<&'static str>,
    /// Hash of the request's key.
    pub key: Option<u128>,
}

/// Where a response came from.
///
/// `hit` says that nothing was sent on, and `fwd` that something was: an answer has one of the two (RFC 9211 §2.1,
/// §2.2). What is stale and used without asking is thus a hit with a negative `ttl`; what is used after the origin was
/// asked in vain is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// From what is stored, without a word to the origin.
    Hit {
        /// Seconds for which it is still fresh; negative: for which it is stale.
        ttl: i64,
    },
    /// The request was sent on.
    Forwarded {
        /// Why it was.
        why: Why,
        /// The status that came back, where the client gets another.
        status: Option<u16>,
        /// Whether what came back is stored.
        stored: bool,
        /// Whether it was not sent by itself, but shares the response to another one.
        collapsed: bool,
        /// Seconds for which the response is fresh, where that is known.
        ttl: Option<i64>,
    },
}

/// Why a request was sent on (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The cache is not used for it.
    Bypass,
    /// The method asks for that.
    Method,
    /// Nothing is stored for the URL.
    UriMiss,
    /// What is stored for the URL was selected by other fields.
    VaryMiss,
    /// The request's own directives ask for that.
    Request,
    /// What is stored is stale.
    Stale,
    /// A part is stored, and not all of what is asked for.
    Partial,
}

impl Why {
    /// As RFC 9211 writes it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

impl CacheStatus<'_> {
    /// Add it to a response, behind what caches nearer to the origin say (RFC 9211 §2).
    pub fn write(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_bytes(&self.member()) {
            headers.append(CACHE_STATUS, value);
        }
    }

    fn member(&self) -> Text {
        let mut text = Text::from_slice(self.gateway.as_bytes());
        match self.outcome {
            Outcome::Hit { ttl } => {
                add(&mut text, "; hit");
                add_number(&mut text, "; ttl=", ttl);
            }
            Outcome::Forwarded { why, status, stored, collapsed, ttl } => {
                add(&mut text, "; fwd=");
                add(&mut text, why.label());
                if let Some(status) = status {
                    add_number(&mut text, "; fwd-status=", status.into());
                }
                add(&mut text, if stored { "; stored" } else { "" });
                add(&mut text, if collapsed { "; collapsed" } else { "" });
                if let Some(ttl) = ttl {
                    add_number(&mut text, "; ttl=", ttl);
                }
            }
        }
        if let Some(detail) = self.detail {
            add(&mut text, "; detail=");
            add(&mut text, detail);
        }
        if let Some(key) = self.key {
            add(&mut text, "; key=\"");
            text.extend(
                (0..32).rev().map(|digit| b"0123456789abcdef"[(key >> (4 * digit)) as usize & 15]),
            );
            add(&mut text, "\"");
        }
        text
    }
}

/// A member that is being written: it is for each response.
type Text = SmallVec<[u8; 128]>;

/// The largest integer of a structured field (RFC 9651 §3.3.1).
const LARGEST: i64 = 999_999_999_999_999;

fn add(text: &mut Text, more: &str) {
    text.extend_from_slice(more.as_bytes());
}

fn add_number(text: &mut Text, name: &str, number: i64) {
    add(text, name);
    add(text, itoa::Buffer::new().format(number.clamp(-LARGEST, LARGEST)));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sfv::{FieldType, List, Parser};

    use super::*;

    const MISS: Outcome = Outcome::Forwarded {
        why: Why::UriMiss,
        status: None,
        stored: false,
        collapsed: false,
        ttl: None,
    };

    fn written(outcome: Outcome, detail: Option<&'static str>, key: Option<u128>) -> String {
        let mut headers = HeaderMap::new();
        CacheStatus { gateway: "tidegate", outcome, detail, key }.write(&mut headers);
        let text = headers[CACHE_STATUS].to_str().unwrap().to_owned();
        let list: List = Parser::new(&text).parse().unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list.serialize().unwrap(), text.replace("; ", ";"), "a structured field");
        text
    }

    #[test]
    fn a_hit_says_how_long_it_is_fresh_or_stale() {
        assert_eq!(written(Outcome::Hit { ttl: 30 }, None, None), "tidegate; hit; ttl=30");
        let stale = written(Outcome::Hit { ttl: -30 }, Some("disconnected"), None);
        assert_eq!(stale, "tidegate; hit; ttl=-30; detail=disconnected");
    }

    #[test]
    fn a_request_that_was_sent_on_says_why_and_what_came_of_it() {
        assert_eq!(
            written(MISS, None, Some(0xa1)),
            format!("tidegate; fwd=uri-miss; key=\"{:032x}\"", 0xa1)
        );
        let stored = Outcome::Forwarded {
            why: Why::Stale,
            status: Some(304),
            stored: true,
            collapsed: true,
            ttl: Some(60),
        };
        let wanted = "tidegate; fwd=stale; fwd-status=304; stored; collapsed; ttl=60";
        assert_eq!(written(stored, None, None), wanted);
        assert_eq!(
            written(MISS, Some("no-store"), None),
            "tidegate; fwd=uri-miss; detail=no-store"
        );
    }

    #[test]
    fn every_reason_is_one_of_the_rfc() {
        for (why, label) in [
            (Why::Bypass, "bypass"),
            (Why::Method, "method"),
            (Why::UriMiss, "uri-miss"),
            (Why::VaryMiss, "vary-miss"),
            (Why::Request, "request"),
            (Why::Stale, "stale"),
            (Why::Partial, "partial"),
        ] {
            assert_eq!(why.label(), label);
        }
    }

    #[test]
    fn a_number_that_no_structured_field_has_is_the_nearest_that_one_has() {
        let hit = |ttl| written(Outcome::Hit { ttl }, None, None);
        assert_eq!(hit(i64::MAX), format!("tidegate; hit; ttl={LARGEST}"));
        assert_eq!(hit(i64::MIN), format!("tidegate; hit; ttl=-{LARGEST}"));
    }

    #[test]
    fn what_caches_nearer_to_the_origin_say_stays_before_it() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_STATUS, HeaderValue::from_static("origin; hit, cdn; fwd=stale"));
        let status = CacheStatus { gateway: "tidegate", outcome: MISS, detail: None, key: None };
        status.write(&mut headers);
        let lines: Vec<_> = headers.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(lines, ["origin; hit, cdn; fwd=stale", "tidegate; fwd=uri-miss"]);
    }
}
