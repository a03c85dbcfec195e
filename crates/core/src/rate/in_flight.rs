//! How many requests of a key are in flight.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use foldhash::fast::FixedState;
use parking_lot::Mutex;

use super::key::Key;

/// Parts of the map, each with a lock of its own. A power of two.
const SHARDS: usize = 16;

/// Lets in at most so many requests of a key at a time.
///
/// A key is known only while a request of it is in flight, so there are no more of them than requests in the
/// process. A count must not be lost to make room, as an arrival time may: hence a map and no
/// [`Table`](super::table::Table).
#[derive(Debug)]
pub struct InFlight {
    most: AtomicU32,
    shards: [CachePadded<Mutex<Shard>>; SHARDS],
}

/// Keys are keyed hashes, so what mixes them need not be secret.
type Shard = HashMap<Key, u32, FixedState>;

impl InFlight {
    /// Lets in `most` of each key.
    pub fn new(most: NonZeroU32) -> Self {
        Self { most: AtomicU32::new(most.get()), shards: Default::default() }
    }

    /// Lets in `most` from now on. Requests that are in stay in.
    pub fn configure(&self, most: NonZeroU32) {
        self.most.store(most.get(), Relaxed);
    }

    /// A request of `key` wants in: how many more may follow it, or `None` if it may not.
    ///
    /// Every `Some` is followed by exactly one [`leave`](Self::leave).
    pub fn enter(&self, key: Key) -> Option<u32> {
        let mut shard = self.shard(key).lock();
        let most = self.most.load(Relaxed);
        let count = shard.entry(key).or_insert(0);
        // A key that is not let in has others in flight: nothing was put in for it.
        let left = most.checked_sub(*count + 1)?;
        *count += 1;
        Some(left)
    }

    /// A request of `key` that was let in has ended, however.
    pub fn leave(&self, key: Key) {
        let mut shard = self.shard(key).lock();
        if let Entry::Occupied(mut count) = shard.entry(key) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// How many requests of `key` are in flight.
    pub fn count(&self, key: Key) -> u32 {
        self.shard(key).lock().get(&key).copied().unwrap_or(0)
    }

    fn shard(&self, key: Key) -> &Mutex<Shard> {
        &self.shards[key.cell() as usize % SHARDS]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::rate::testing::key;

    fn at_most(most: u32) -> InFlight {
        InFlight::new(NonZeroU32::new(most).unwrap())
    }

    #[test]
    fn a_key_gets_in_as_often_as_it_may_and_again_once_one_has_left() {
        let in_flight = at_most(2);
        assert_eq!(in_flight.enter(key(1)), Some(1));
        assert_eq!(in_flight.enter(key(1)), Some(0));
        assert_eq!(in_flight.enter(key(1)), None);
        assert_eq!(in_flight.enter(key(2)), Some(1), "another key");
        in_flight.leave(key(1));
        assert_eq!(in_flight.enter(key(1)), Some(0));
    }

    #[test]
    fn a_lower_limit_lets_those_in_flight_end() {
        let in_flight = at_most(3);
        assert!((0..3).all(|_| in_flight.enter(key(1)).is_some()));
        in_flight.configure(NonZeroU32::MIN);
        assert_eq!(in_flight.enter(key(1)), None);
        (0..3).for_each(|_| in_flight.leave(key(1)));
        assert_eq!(in_flight.enter(key(1)), Some(0));
    }

    #[test]
    fn keys_without_requests_are_not_kept() {
        let in_flight = at_most(1);
        for n in 0..10_000 {
            in_flight.enter(key(n));
            in_flight.leave(key(n));
        }
        assert!(in_flight.shards.iter().all(|shard| shard.lock().is_empty()));
    }

    #[test]
    fn of_many_threads_no_more_get_in_than_may_and_all_are_counted_out() {
        let in_flight = at_most(3);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if in_flight.enter(key(1)).is_some() {
                            assert!(in_flight.count(key(1)) <= 3);
                            in_flight.leave(key(1));
                        }
                    }
                });
            }
        });
        assert_eq!(in_flight.count(key(1)), 0);
    }
}
