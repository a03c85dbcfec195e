//! Where in the tree a request belongs.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What is known of a request before it is sent, and says something of its cost.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// Its route: a number that stays the same through reloads, like a hash of the route's name.
    pub route: u64,
    /// Its method.
    pub method: &'a str,
    /// Its path, without the query; `None`: the route's own template says all of it.
    pub path: Option<&'a str>,
    /// Its content length, where it has one.
    pub size: Option<u64>,
}

/// Levels of the tree below its root.
pub(super) const LEVELS: usize = 4;
/// What they are called.
pub(super) const LEVEL_NAMES: [&str; LEVELS] = ["route", "method", "template", "size"];

/// Where in the tree a request belongs: the keys of its nodes, from the route's on. One without a content length
/// belongs to its template alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    pub(super) keys: [u64; LEVELS],
    pub(super) levels: usize,
}

impl Branch {
    /// The key of its route.
    pub(super) fn route(&self) -> u64 {
        self.keys[0]
    }

    /// The key of its path template.
    pub(super) fn template(&self) -> u64 {
        self.keys[2]
    }

    /// The keys, from the route's on.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.keys.into_iter().take(self.levels)
    }
}

/// The key below `parent` of what these bytes name.
pub(super) fn below(parent: u64, name: &[u8]) -> u64 {
    xxh3_64_with_seed(name, parent)
}

/// The key below `parent` of what `number` names: a finalizer of [`SplitMix64`](crate::balance::SplitMix64).
pub(super) const fn numbered(parent: u64, number: u64) -> u64 {
    let mut key = parent ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key ^ (key >> 29)
}

/// The bucket of a content length: two powers of two are one.
pub(super) fn bucket(size: u64) -> u64 {
    u64::from(size.saturating_add(1).ilog2() / 2)
}
