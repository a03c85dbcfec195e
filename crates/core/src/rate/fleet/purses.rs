//! The purses of one limit's keys.

use std::collections::HashMap;

use crossbeam_utils::CachePadded;
use foldhash::fast::FixedState;
use parking_lot::Mutex;

use super::purse::Purse;
use crate::rate::key::Key;

/// Parts, each with a lock of its own that is held for a few instructions. A power of two.
const SHARDS: usize = 64;
/// Purses of a part at most.
const MOST_OF_SHARD: usize = 512;
/// Purses of a limit at most. A key without one is limited by its gateway alone.
pub const MOST_PURSES: usize = SHARDS * MOST_OF_SHARD;

/// Purses by key, and which have something to say.
///
/// Purses that have nothing to say are kept for what the store told of their keys, until there is no more room.
#[derive(Debug)]
pub(super) struct Purses {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
}

impl Default for Purses {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| CachePadded::default()).collect() }
    }
}

#[derive(Debug, Default)]
struct Shard {
    /// Keys are keyed hashes, so what mixes them need not be secret.
    purses: HashMap<Key, Purse, FixedState>,
    listed: Vec<Key>,
}

impl Purses {
    /// What `look` finds in the purse of `key`; `None` if it has none.
    pub(super) fn look<T>(&self, key: Key, look: impl FnOnce(&mut Purse) -> T) -> Option<T> {
        self.shard(key).lock().purses.get_mut(&key).map(look)
    }

    /// Change the purse of `key` by what it then has to tell of; `None` if it has none.
    pub(super) fn change<T>(&self, key: Key, change: impl FnOnce(&mut Purse) -> T) -> Option<T> {
        let mut shard = self.shard(key).lock();
        let Shard { purses, listed } = &mut *shard;
        let purse = purses.get_mut(&key)?;
        let changed = change(purse);
        if !purse.is_listed && !purse.is_quiet() {
            purse.is_listed = true;
            listed.push(key);
        }
        Some(changed)
    }

    /// The same, of a purse that is made if there is none; `None` if there is no room for another.
    pub(super) fn change_or_make<T>(
        &self,
        key: Key,
        make: impl FnOnce() -> Purse,
        change: impl FnOnce(&mut Purse) -> T,
    ) -> Option<T> {
        {
            let Shard { purses, .. } = &mut *self.shard(key).lock();
            if !purses.contains_key(&key) {
                if purses.len() >= MOST_OF_SHARD {
                    purses.retain(|_, purse| purse.is_listed || !purse.is_quiet());
                }
                if purses.len() >= MOST_OF_SHARD {
                    return None;
                }
                purses.insert(key, make());
            }
        }
        self.change(key, change)
    }

    /// What `tell` makes of purses that have something to say: of as many as `most`.
    pub(super) fn told<T>(
        &self,
        most: usize,
        mut tell: impl FnMut(Key, &mut Purse) -> T,
    ) -> Vec<T> {
        let mut told = Vec::new();
        for shard in &self.shards {
            let Shard { purses, listed } = &mut *shard.lock();
            let count = listed.len().min(most - told.len());
            for key in listed.drain(..count) {
                if let Some(purse) = purses.get_mut(&key) {
                    purse.is_listed = false;
                    told.push(tell(key, purse));
                }
            }
        }
        told
    }

    fn shard(&self, key: Key) -> &Mutex<Shard> {
        &self.shards[key.cell() as usize % SHARDS]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rate::fleet::SharedQuota;
    use crate::rate::testing::{key, window};
    use crate::rate::{Key, SharedKey};
    use crate::time::Moment;

    fn purse() -> Purse {
        let quotas = SharedQuota::of_windows(&[window(10, Duration::from_secs(1), 10)]);
        Purse::new(SharedKey::default(), &quotas, 1, None)
    }

    fn spend(purses: &Purses, key: Key) -> Option<()> {
        purses.change_or_make(key, purse, |purse| purse.spend(1, Moment(1)))
    }

    #[test]
    fn of_purses_each_that_has_something_to_say_tells_it_once() {
        let purses = Purses::default();
        (0..10).for_each(|n| spend(&purses, key(n % 3)).unwrap());
        purses.change_or_make(key(7), purse, |_| ()).unwrap();
        assert_eq!(purses.told(2, |_, _| ()).len(), 2);
        assert_eq!(purses.told(9, |_, _| ()).len(), 1);
        assert_eq!(purses.told(9, |_, _| ()).len(), 0);
    }

    #[test]
    fn beyond_the_most_only_purses_with_nothing_to_say_make_room() {
        let purses = Purses::default();
        let many = 3 * MOST_PURSES as u64;
        let made = (0..many).filter(|n| spend(&purses, key(*n)).is_some()).count();
        assert_eq!(made, MOST_PURSES);
        let quiet = Purses::default();
        assert!((0..many).all(|n| quiet.change_or_make(key(n), purse, |_| ()).is_some()));
        let held: usize = quiet.shards.iter().map(|shard| shard.lock().purses.len()).sum();
        assert!(held <= MOST_PURSES);
    }
}
