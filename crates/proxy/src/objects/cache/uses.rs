//! How often responses were asked for that are not stored yet.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Counters; keys share one where they fall together, so that one is stored a little early at the worst.
const COUNTERS: usize = 1 << 16;
/// Uses after which all counts are halved, so that what was asked for long ago counts less and less.
const HALVED_AFTER: u8 = u8::MAX;

/// Counts uses by key.
#[derive(Debug)]
pub struct Uses(Box<[AtomicU8]>);

impl Default for Uses {
    fn default() -> Self {
        Self((0..COUNTERS).map(|_| AtomicU8::new(0)).collect())
    }
}

impl Uses {
    /// Count a use of what has this key. Returns how many there were.
    pub fn count(&self, key: u128) -> u32 {
        let counter = &self.0[key as usize % COUNTERS];
        let before = counter.fetch_add(1, Relaxed);
        if before == HALVED_AFTER - 1 {
            self.0.iter().for_each(|each| each.store(each.load(Relaxed) / 2, Relaxed));
        }
        u32::from(before.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_of_a_key_are_counted() {
        let uses = Uses::default();
        assert_eq!([uses.count(7), uses.count(7), uses.count(8)], [1, 2, 1]);
    }

    #[test]
    fn counts_do_not_grow_without_end() {
        let uses = Uses::default();
        let most = (0..10_000).map(|_| uses.count(7)).max();
        assert_eq!(most, Some(255));
    }
}
