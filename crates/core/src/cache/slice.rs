//! Slices: the aligned ranges by which large objects are fetched and stored.

use std::ops::Range;

use http::HeaderMap;
use http::header::IF_RANGE;

use super::range::{self, Spec};

/// How a body is cut into slices, all of which are as long but the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// Bytes of the body.
    pub length: u64,
    /// Bytes of a slice, at least one.
    pub size: u64,
}

impl Slices {
    /// The number of the slice that has this byte.
    pub fn number(&self, byte: u64) -> u64 {
        byte / self.size
    }

    /// The bytes of the slice with this number.
    pub fn range(&self, number: u64) -> Range<u64> {
        let asked = asked(number, self.size);
        asked.start.min(self.length)..asked.end.min(self.length)
    }

    /// What of `range` lies in the slice that has its first byte.
    pub fn first_of(&self, range: &Range<u64>) -> Range<u64> {
        range.start..range.end.min(self.range(self.number(range.start)).end)
    }
}

/// The range to ask for where the slice with this number is wanted of a body whose length is not known.
pub fn asked(number: u64, size: u64) -> Range<u64> {
    let start = number.saturating_mul(size);
    start..start.saturating_add(size)
}

/// The number of the slice that a request wants first, where nothing is known of the body: the first one, where the
/// request's range counts from the end, or may not count.
pub fn first(request: &HeaderMap, size: u64) -> u64 {
    match range::only(request) {
        Some(Spec::From(first, _)) if !request.contains_key(IF_RANGE) => first / size,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::tests::fields;

    proptest! {
        #[test]
        fn slices_are_the_body_one_after_the_other(
            length in 0u64..10_000, size in 1u64..3_000, from in 0u64..10_000,
        ) {
            let slices = Slices { length, size };
            let mut rest = from.min(length)..length;
            while !rest.is_empty() {
                let first = slices.first_of(&rest);
                let slice = slices.range(slices.number(rest.start));
                prop_assert!(!first.is_empty() && slice.start <= first.start && first.end == slice.end);
                prop_assert!(slice.start.is_multiple_of(size) && slice.end - slice.start <= size);
                prop_assert!(slice.end - slice.start == size || slice.end == length);
                rest.start = first.end;
            }
            prop_assert!(slices.range(length.div_ceil(size)).is_empty());
        }
    }

    #[test]
    fn the_slice_that_is_asked_for_first_has_the_first_byte_that_is_wanted() {
        let first = |said: &[(&str, &str)]| first(&fields(said), 100);
        assert_eq!(first(&[]), 0);
        assert_eq!(first(&[("range", "bytes=250-900")]), 2);
        assert_eq!(first(&[("range", "bytes=99-")]), 0);
        assert_eq!(first(&[("range", "bytes=-5")]), 0);
        assert_eq!(first(&[("range", "bytes=250-260,900-")]), 0);
        assert_eq!(first(&[("range", "bytes=250-"), ("if-range", "\"1\"")]), 0);
        assert_eq!(asked(u64::MAX, 100), u64::MAX..u64::MAX);
    }
}
