//! A ring of hashes.

use super::bounded::Preference;
use super::{SplitMix64, hash_key};
use crate::plan::Endpoint;

/// Points of an endpoint of mean weight: its share of the ring deviates by about 1/√points.
const POINTS: f64 = 128.0;

/// Consistent hashing (Karger et al., STOC 1997) in the manner of ketama: each endpoint
/// owns many points of a circle, and a key belongs to the endpoint of the first point at or after its own.
///
/// An endpoint's points follow from its address, and their number, `POINTS` · weight ÷ mean weight,
/// from its weight. The mean is rounded to a power of two: unless it crosses a border of rounding,
/// adding or removing an endpoint moves only its own keys.
#[derive(Debug)]
pub(super) struct Ring {
    /// Sorted: the position in the high half, the endpoint's index in the low half.
    points: Vec<u64>,
    /// By the high bits of a position: the first point that has at least those, so that a look-up needs no search.
    first: Vec<u32>,
    /// Bits of a position that `first` leaves out.
    shift: u32,
}

impl Ring {
    /// The ring of those of `endpoints` that `members` names.
    pub(super) fn new(endpoints: &[Endpoint], members: &[u32]) -> Self {
        let used = || {
            members
                .iter()
                .map(|&member| (member, &endpoints[member as usize]))
                .filter(|(_, endpoint)| endpoint.weight > 0)
        };
        let sum: f64 = used().map(|(_, endpoint)| f64::from(endpoint.weight)).sum();
        let mean = (sum / used().count() as f64).log2().round().exp2();
        let mut points = Vec::new();
        for (index, endpoint) in used() {
            let count = (POINTS * f64::from(endpoint.weight) / mean).round().max(1.0) as usize;
            let mut positions = SplitMix64::new(hash_key(endpoint.address.as_bytes()));
            points.extend((0..count).map(|_| positions.next() & HIGH_HALF | u64::from(index)));
        }
        points.sort_unstable();
        // About four points to an entry: a fraction of a cache line, and a table that stays in the cache.
        let bits = (points.len() / 4).max(1).ilog2().min(31);
        let shift = 32 - bits;
        let mut first = Vec::with_capacity((1 << bits) + 1);
        for (at, point) in points.iter().enumerate() {
            let bucket = (point >> 32 >> shift) as usize;
            while first.len() <= bucket {
                first.push(at as u32);
            }
        }
        first.resize((1 << bits) + 1, points.len() as u32);
        Self { points, first, shift }
    }
}

impl Preference for Ring {
    /// The endpoints met on a walk around the ring from the place of `hash` on, each as often as it has points.
    fn walk(&self, hash: u64) -> impl Iterator<Item = usize> {
        let mut start = self.first[(hash >> 32 >> self.shift) as usize] as usize;
        while self.points.get(start).is_some_and(|&point| point >> 32 < hash >> 32) {
            start += 1;
        }
        let (before, after) = self.points.split_at(start);
        after.iter().chain(before).map(|&point| (point & !HIGH_HALF) as usize)
    }
}

const HIGH_HALF: u64 = 0xffff_ffff_0000_0000;
