//! What is stored in memory, by key.
//!
//! Which keys go when there is no more room is TinyLFU's to say. A hit holds the lock of one shard of the keys for as long
//! as it takes to count one use up, and that of the policy only where it is free: a hit that is not counted is no harm.
//! Each change holds both, in turn with all others.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use parking_lot::Mutex;
use tidegate_core::cache::evict::{Evicted, Policy, TinyLfu};
use tidegate_core::time::Moment;

use super::entry::Entry;
use super::variants::{Known, Variants};

/// Shards of the keys, which are locked apart.
const SHARDS: usize = 64;
/// Numbers that tell of changes.
const GENERATIONS: usize = 4096;
/// What a key takes beside its entries.
const OVERHEAD: u64 = 150;

/// What is stored in memory.
pub struct Memory {
    shards: Box<[Mutex<Shard>]>,
    /// Knows the keys that are in the shards. Locked before them.
    policy: Mutex<TinyLfu>,
    /// Keys that went for want of room.
    evictions: AtomicU64,
    /// Change with what is stored. Keys share one where they fall together.
    generations: Box<[AtomicU64]>,
    /// Is told what goes for want of room.
    gone: Box<Gone>,
}

type Gone = dyn Fn(&Arc<Entry>) + Send + Sync;
type Shard = HashMap<u128, Variants, BuildHasherDefault<KeyHasher>>;

impl Memory {
    /// Room for so many bytes. What goes for want of room is told to `gone`.
    pub fn new(bytes: u64, gone: impl Fn(&Arc<Entry>) + Send + Sync + 'static) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            policy: Mutex::new(TinyLfu::plain(bytes)),
            evictions: AtomicU64::new(0),
            generations: (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect(),
            gone: Box::new(gone),
        }
    }

    /// A number that changes with what is stored under `key`.
    pub fn generation(&self, key: u128) -> u64 {
        self.counter(key).load(Acquire)
    }

    /// What is stored under `key`, which is asked for.
    pub fn get(&self, key: u128) -> Option<Variants> {
        let found = self.peek(key);
        if let Some(mut policy) = self.policy.try_lock() {
            policy.touch(key);
        }
        found
    }

    /// What is stored under `key`, which is not asked for.
    pub fn peek(&self, key: u128) -> Option<Variants> {
        self.shard(key).lock().get(&key).cloned()
    }

    /// Store `entry` in the place of the variant that was selected by the same fields, or what is `joined` of both, where
    /// that is something. Returns what is stored.
    pub fn put(
        &self,
        entry: Arc<Entry>,
        joined: impl Fn(&Entry, &Entry) -> Option<Entry>,
    ) -> Arc<Entry> {
        self.change(entry.key.hash, |known| known.put(entry, joined))
    }

    /// What is known of `entry` has changed.
    pub fn touch(&self, entry: &Entry) {
        self.changed(entry.key.hash);
    }

    /// Store `entry`, which was stored before, unless there is a newer one by now.
    pub fn put_back(&self, entry: &Arc<Entry>) {
        self.change(entry.key.hash, |known| known.put_back(entry));
    }

    /// Store the `other` one, where there is one, in the place of the one under `key` that `is_it`, if that is still
    /// stored.
    pub fn exchange(
        &self,
        key: u128,
        is_it: impl Fn(&Entry) -> bool,
        other: impl Fn(&Entry) -> Option<Entry>,
    ) {
        self.change(key, |known| {
            if let Some(place) = known.entries.iter_mut().find(|entry| is_it(entry))
                && let Some(other) = other(place)
            {
                *place = Arc::new(other);
            }
        });
    }

    /// Take `entry` away, if it is still stored.
    pub fn remove(&self, entry: &Entry) {
        self.change(entry.key.hash, |known| known.entries.retain(|other| !other.is(entry)));
    }

    /// Forget what is stored under `key`.
    pub fn forget(&self, key: u128) {
        self.change(key, |known| *known = Known::default());
    }

    /// The responses under `key` are not for others, as was seen at `now`.
    pub fn mark_private(&self, key: u128, now: Moment) {
        self.change(key, |known| known.mark_private(now));
    }

    /// The origin answers no ranges of what has this key, as was seen at `now`.
    pub fn mark_unranged(&self, key: u128, now: Moment) {
        self.change(key, |known| known.mark_unranged(now));
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> u64 {
        self.policy.lock().used()
    }

    /// Keys.
    pub fn keys(&self) -> u64 {
        self.policy.lock().len() as u64
    }

    /// Keys that went for want of room.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Relaxed)
    }

    /// All that is stored, in no order.
    pub fn entries(&self) -> impl Iterator<Item = Arc<Entry>> {
        self.shards.iter().flat_map(|shard| {
            let shard = shard.lock();
            shard.values().flat_map(Variants::entries).cloned().collect::<Vec<_>>()
        })
    }

    /// Change what is known of `key`, and let go of what has no room then.
    fn change<T>(&self, key: u128, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut policy = self.policy.lock();
        let (changed, evicted) = self.change_shard(key, change, &mut policy);
        let taken = |key: u128| Some((key, self.shard(key).lock().remove(&key)?));
        let gone: Vec<_> = evicted.into_iter().filter_map(taken).collect();
        drop(policy);
        self.changed(key);
        for (key, variants) in gone {
            self.changed(key);
            self.evictions.fetch_add(1, Relaxed);
            variants.entries().iter().for_each(&self.gone);
        }
        changed
    }

    fn change_shard<T>(
        &self,
        key: u128,
        change: impl FnOnce(&mut Known) -> T,
        policy: &mut TinyLfu,
    ) -> (T, Evicted) {
        let mut shard = self.shard(key).lock();
        let mut known = shard.remove(&key).map(Known::from).unwrap_or_default();
        let changed = change(&mut known);
        if known.is_nothing() {
            policy.remove(key);
            return (changed, Evicted::new());
        }
        let weight = OVERHEAD + known.entries.iter().map(|entry| entry.weight()).sum::<u64>();
        shard.insert(key, known.into());
        (changed, policy.insert(key, weight))
    }

    fn shard(&self, key: u128) -> &Mutex<Shard> {
        &self.shards[(key >> 64) as usize % SHARDS]
    }

    fn counter(&self, key: u128) -> &AtomicU64 {
        &self.generations[key as usize % GENERATIONS]
    }

    fn changed(&self, key: u128) {
        self.counter(key).fetch_add(1, Release);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
