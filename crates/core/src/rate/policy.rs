//! A quota policy: how clients are told of a limit, as far as it is the same for all of them.

use std::time::Duration;

use http::HeaderValue;
use sfv::{Integer, ItemSerializer, ListSerializer, StringRef};

use super::parameter;
use super::window::Window;

/// What a quota counts (quota unit, draft-ietf-httpapi-ratelimit-headers-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Requests, or what they are told to cost.
    Requests,
    /// Bytes of content.
    ContentBytes,
    /// Requests in flight.
    ConcurrentRequests,
}

impl Unit {
    const fn name(self) -> Option<&'static StringRef> {
        match self {
            Self::Requests => None,
            Self::ContentBytes => Some(StringRef::constant("content-bytes")),
            Self::ConcurrentRequests => Some(StringRef::constant("concurrent-requests")),
        }
    }
}

/// One window of a limit, or the requests of a key that may be in flight, as clients are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    name: Box<str>,
    pub(super) unit: Unit,
    /// What may come at once.
    pub(super) burst: u64,
    /// A `RateLimit-Policy` field of this one alone.
    pub(super) alone: HeaderValue,
    /// A member of a `RateLimit` field, up to the units that are left.
    pub(super) remaining: Box<[u8]>,
}

impl Policy {
    /// That of the window at `index` of the limit `name`. The first has the limit's name, the others have their
    /// length behind it (`per-user-1h`).
    pub(super) fn of_window(name: &str, index: usize, window: &Window, unit: Unit) -> Self {
        let name = match index {
            0 => name.to_owned(),
            _ => format!("{name}-{}", length(window.per())),
        };
        // Seconds are whole. A quota of 10 per 100 ms is told as 100 per 1 s.
        let seconds = window.per().as_nanos().div_ceil(1_000_000_000);
        let quota = u128::from(window.quota()) * seconds * 1_000_000_000 / window.per().as_nanos();
        let [quota, seconds] = [quota, seconds].map(|n| u64::try_from(n).unwrap_or(u64::MAX));
        Self::new(&name, unit, window.burst(), quota, Some(seconds))
    }

    /// That of at most `most` requests in flight for each key of the limit `name`.
    pub fn of_in_flight(name: &str, most: u32) -> Self {
        Self::new(name, Unit::ConcurrentRequests, most.into(), most.into(), None)
    }

    fn new(name: &str, unit: Unit, burst: u64, quota: u64, seconds: Option<u64>) -> Self {
        // A string has visible characters of ASCII and blanks only (RFC 9651 §3.3.3).
        let told = |char: char| if matches!(char, ' '..='~') { char } else { '?' };
        let name = sfv::String::try_from(name.chars().map(told).collect::<String>());
        let name = name.unwrap_or_else(|_| StringRef::constant("limit").to_owned());
        let mut list = ListSerializer::new();
        let mut item = list.bare_item(&*name).parameter(parameter::QUOTA, integer(quota));
        if let Some(seconds) = seconds {
            item = item.parameter(parameter::WINDOW, integer(seconds));
        }
        if let Some(unit) = unit.name() {
            _ = item.parameter(parameter::UNIT, unit);
        }
        // What a serializer of structured fields writes, a field can hold.
        let alone = HeaderValue::try_from(list.finish().unwrap_or_default());
        let quoted = ItemSerializer::new().bare_item(&*name).finish();
        Self {
            name: name.as_str().into(),
            unit,
            burst,
            alone: alone.unwrap_or(HeaderValue::from_static("")),
            remaining: format!("{quoted};{}=", parameter::REMAINING.as_str()).into_bytes().into(),
        }
    }

    /// Its name in fields and problem documents.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The largest integer of a structured field (RFC 9651 §3.3.1).
pub(super) const LARGEST: u64 = 999_999_999_999_999;

fn integer(number: u64) -> Integer {
    Integer::try_from(number.min(LARGEST)).unwrap_or(Integer::MAX)
}

/// A length of time as the configuration has it, in the largest unit that leaves it whole.
fn length(per: Duration) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let millis = per.as_millis();
    let unit = units.into_iter().find(|(length, _)| millis.is_multiple_of(*length));
    unit.map_or_else(String::new, |(length, unit)| format!("{}{unit}", millis / length))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn told(name: &str, index: usize, quota: u64, per: u64, unit: Unit) -> String {
        let quota = NonZeroU64::new(quota).unwrap();
        let window = Window::new(quota, Duration::from_millis(per), quota);
        let policy = Policy::of_window(name, index, &window, unit);
        policy.alone.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_window_is_told_with_its_quota_and_its_length_in_seconds() {
        assert_eq!(told("per-user", 0, 100, 1_000, Unit::Requests), r#""per-user";q=100;w=1"#);
        assert_eq!(
            told("per-user", 1, 5_000, 3_600_000, Unit::Requests),
            r#""per-user-1h";q=5000;w=3600"#
        );
        assert_eq!(
            told("bytes", 0, 65_535, 10_000, Unit::ContentBytes),
            r#""bytes";q=65535;w=10;qu="content-bytes""#
        );
    }

    #[test]
    fn parts_of_a_second_are_told_as_whole_ones_at_the_same_rate() {
        assert_eq!(told("a", 0, 10, 100, Unit::Requests), r#""a";q=100;w=1"#);
        assert_eq!(told("a", 1, 30, 1_500, Unit::Requests), r#""a-1500ms";q=40;w=2"#);
    }

    #[test]
    fn requests_in_flight_have_no_window() {
        let policy = Policy::of_in_flight("download", 8);
        assert_eq!(policy.alone, r#""download";q=8;qu="concurrent-requests""#);
    }

    #[test]
    fn a_name_is_quoted_as_a_structured_field_wants_it() {
        assert_eq!(told(r#"a"b\c"#, 0, 1, 1_000, Unit::Requests), r#""a\"b\\c";q=1;w=1"#);
        assert_eq!(told("größe", 0, 1, 1_000, Unit::Requests), r#""gr??e";q=1;w=1"#);
    }

    #[test]
    fn a_number_of_more_digits_than_a_field_may_have_is_told_as_the_largest() {
        let text = told("a", 0, u64::MAX, 1_000, Unit::Requests);
        assert_eq!(text, r#""a";q=999999999999999;w=1"#);
    }
}
