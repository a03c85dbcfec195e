//! A bounded set of keys that needs no lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use zerocopy::{FromZeros, KnownLayout};

use super::zeroed::zeroed;

/// Keys that stand in one cache line.
const WAYS: usize = 8;
/// In place of a key: none.
const NONE: u64 = 0;

/// Keys of 64 bits in slots, of which each key can stand in eight. Where all of these are taken, a new key takes the
/// place of one that its owner can spare, or finds none; so keys that are in use are not driven out by any number of
/// others.
///
/// A key that two threads put in at the same moment may get two slots: the second one is never found, and spared some
/// time.
#[derive(Debug)]
pub(super) struct Keys(Box<[Line]>);

#[derive(Debug, Default, FromZeros, KnownLayout)]
#[repr(C, align(64))]
struct Line([AtomicU64; WAYS]);

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// It stood there.
    Known(usize),
    /// It took this slot, perhaps another key's: what belongs to that is to be forgotten.
    New(usize),
}

impl Keys {
    /// No keys yet, `slots` at most: a power of two, and 8 at least.
    pub(super) fn new(slots: usize) -> Self {
        Self(zeroed(slots / WAYS))
    }

    /// The slot of `key`.
    pub(super) fn find(&self, key: u64) -> Option<usize> {
        let (line, first) = self.line(key);
        // All eight, without a branch that could be predicted wrongly.
        let same = |way: usize| u32::from(line.0[way].load(Relaxed) == key) << way;
        let found = (0..WAYS).fold(0, |found, way| found | same(way));
        (found != 0).then(|| first + found.trailing_zeros() as usize)
    }

    /// The slot of `key`, put in if need be; `None`: there is no room for it. Of slots that are taken, the one of the
    /// lowest `worth` may be had, if it has one.
    pub(super) fn claim(&self, key: u64, worth: impl Fn(usize) -> Option<f32>) -> Option<Slot> {
        if let Some(slot) = self.find(key) {
            return Some(Slot::Known(slot));
        }
        let (line, first) = self.line(key);
        let empty = line.0.iter().position(|other| other.load(Relaxed) == NONE);
        let (way, before) = match empty {
            Some(way) => (way, NONE),
            None => {
                let spare = (0..WAYS).filter_map(|way| Some((way, worth(first + way)?)));
                let (way, _) = spare.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
                (way, line.0[way].load(Relaxed))
            }
        };
        // Where another thread was quicker, this one goes without.
        let taken = line.0[way].compare_exchange(before, key, Relaxed, Relaxed);
        taken.ok().map(|_| Slot::New(first + way))
    }

    /// All keys, each with its slot.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, usize)> {
        let slots = self.0.iter().flat_map(|line| &line.0).map(|key| key.load(Relaxed));
        slots.zip(0..).filter(|(key, _)| *key != NONE)
    }

    /// Where `key` may stand, and the slot that this begins with.
    fn line(&self, key: u64) -> (&Line, usize) {
        let line = key as usize & (self.0.len() - 1);
        (&self.0[line], line * WAYS)
    }

    /// Keys that are in.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all().count()
    }
}
