//! An object that is stored slice by slice, each of which is an entry with a key of its own.

use std::ops::Range;

use http::HeaderValue;
use tidegate_core::cache::key::{Key, StoredKey};
use tidegate_core::cache::slice::Slices;
use tidegate_core::cache::vary::Vary;
use xxhash_rust::xxh3::xxh3_128;

/// How the body of an object is stored in slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliced {
    /// How it is cut.
    pub slices: Slices,
    /// What its slices are found by beside its key: of no other body, nor of what was stored before a purge.
    pub version: u128,
}

impl Sliced {
    /// The body of an object with this strong validator that was selected by `vary`, and was asked for after the purge
    /// with the number `since`.
    pub fn new(slices: Slices, validator: &HeaderValue, vary: &Vary, since: u64) -> Self {
        let mut text = vary.to_bytes();
        for number in [text.len() as u64, slices.length, slices.size, since] {
            text.extend_from_slice(&number.to_le_bytes());
        }
        text.extend_from_slice(validator.as_bytes());
        Self { slices, version: xxh3_128(&text) }
    }

    /// The key of a slice of the object with this key.
    pub fn key(&self, of: &Key<impl AsRef<[u8]>>, number: u64) -> Key {
        of.slice(self.version, number)
    }

    /// Whether this is the key of a slice of the object with the key `of`.
    pub fn has(&self, of: &StoredKey, slice: &StoredKey) -> bool {
        self.key(of, 0).is_slice_beside(slice)
    }
}

/// Where a range lies within a slice that begins at this byte.
pub fn within(range: &Range<u64>, begin: u64) -> Range<u64> {
    range.start - begin..range.end - begin
}
