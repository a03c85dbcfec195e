//! A quota policy: how clients are told of a limit, as far as it is the same for all of them.

use std::time::Duration;

use http::HeaderValue;
use sfv::{Integer, ListSerializer, ParameterSerializer, StringRef};

use super::key::Key;
use super::parameter;
use super::window::Window;

/// What a quota counts (quota unit, draft-ietf-httpapi-ratelimit-headers-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Requests, or what they are told to cost.
    Requests,
    /// Bytes of content.
    ContentBytes,
    /// Requests in flight.
    ConcurrentRequests,
}

impl Unit {
    /// All of them, the one that is meant where none is named first.
    pub(super) const ALL: [Self; 3] =
        [Self::Requests, Self::ContentBytes, Self::ConcurrentRequests];

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
    pub(super) name: sfv::String,
    pub(super) unit: Unit,
    /// What may come at once.
    pub(super) burst: u64,
    /// What comes back in `seconds`.
    quota: u64,
    seconds: Option<u64>,
    /// A `RateLimit-Policy` field of this one alone.
    pub(super) alone: HeaderValue,
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
        let mut policy =
            Self { name, unit, burst, quota, seconds, alone: HeaderValue::from_static("") };
        let mut list = ListSerializer::new();
        policy.write(&mut list, None);
        let text = list.finish().unwrap_or_default();
        // What a serializer of structured fields writes, a field can hold.
        policy.alone = HeaderValue::try_from(text).unwrap_or_else(|_| policy.alone.clone());
        policy
    }

    /// Its name in fields and problem documents.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Write it as a member of a `RateLimit-Policy` field, for the `key` if that is to be told.
    pub(super) fn write<W: std::borrow::BorrowMut<String>>(
        &self,
        list: &mut ListSerializer<W>,
        key: Option<Key>,
    ) {
        let mut item = list.bare_item(&*self.name).parameter(parameter::QUOTA, integer(self.quota));
        if let Some(seconds) = self.seconds {
            item = item.parameter(parameter::WINDOW, integer(seconds));
        }
        if let Some(unit) = self.unit.name() {
            item = item.parameter(parameter::UNIT, unit);
        }
        with_key(item, key);
    }
}

/// Add the partition key, if it is to be told.
pub(super) fn with_key(item: ParameterSerializer<&mut String>, key: Option<Key>) {
    if let Some(key) = key {
        let _ = item.parameter(parameter::PARTITION_KEY, &key.bytes()[..]);
    }
}

/// As an integer of a structured field, which has at most 15 digits (RFC 9651 §3.3.1).
pub(super) fn integer(number: u64) -> Integer {
    Integer::try_from(number).unwrap_or(Integer::MAX)
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
