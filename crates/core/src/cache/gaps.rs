//! Gaps: what is missing of a content of which some ranges are held (RFC 9111 §3.4).

use std::ops::Range;

use super::range::Parts;

/// What of `wanted` is in none of the ranges that are `held`, of which no two overlap, in their order.
pub fn gaps(held: impl IntoIterator<Item = Range<u64>>, wanted: &Range<u64>) -> Parts {
    let (mut gaps, mut at) = (Parts::new(), wanted.start);
    for range in held {
        if range.start >= wanted.end {
            break;
        }
        if at < range.start {
            gaps.push(at..range.start);
        }
        at = at.max(range.end);
    }
    if at < wanted.end {
        gaps.push(at..wanted.end);
    }
    gaps
}

/// The one range that has all of these `parts`, which are in their order; `None` where there are none.
pub fn hull(parts: &[Range<u64>]) -> Option<Range<u64>> {
    Some(parts.first()?.start..parts.last()?.end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ranges in their order with or without gaps between them.
    fn ranges() -> impl Strategy<Value = Vec<Range<u64>>> {
        prop::collection::vec((0u64..5, 1u64..5), 0..6).prop_map(|steps| {
            let mut at = 0;
            let range = |(gap, count)| {
                let start = at + gap;
                at = start + count;
                start..at
            };
            steps.into_iter().map(range).collect()
        })
    }

    proptest! {
        #[test]
        fn a_byte_is_missing_if_it_is_wanted_and_not_held(
            held in ranges(), from in 0u64..50, count in 0u64..50,
        ) {
            let wanted = from..from + count;
            let gaps = gaps(held.iter().cloned(), &wanted);
            for byte in 0..110 {
                let is_held = held.iter().any(|range| range.contains(&byte));
                let is_missing = gaps.iter().any(|gap| gap.contains(&byte));
                prop_assert_eq!(is_missing, wanted.contains(&byte) && !is_held);
            }
            prop_assert!(gaps.iter().all(|gap| !gap.is_empty()));
            prop_assert!(gaps.windows(2).all(|pair| pair[0].end < pair[1].start));
            let hull = hull(&gaps);
            prop_assert_eq!(hull.is_none(), gaps.is_empty());
            prop_assert!(hull.is_none_or(|hull| hull.start >= wanted.start && hull.end <= wanted.end));
        }
    }
}
