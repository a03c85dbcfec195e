//! What is stored in memory, by key.
//!
//! Under one key stand up to [`VARIANTS`] responses, which were selected by different fields. Which keys go when there
//! is no more room is TinyLFU's to say (Einziger, Friedman, Manes: TinyLFU, 2017), as moka has it: without a window.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::ops::compute::Op;
use moka::sync;
use smallvec::SmallVec;
use tidegate_core::time::Moment;

use super::entry::Entry;

/// Most variants under a key; beyond it the oldest goes.
const VARIANTS: usize = 32;
/// How long a key is known to have responses that are not for others.
const PRIVATE: Duration = Duration::from_secs(120);
/// How long an origin is known not to answer ranges of what has a key.
const UNRANGED: Duration = Duration::from_secs(300);
/// Numbers that tell of changes.
const GENERATIONS: usize = 4096;
/// What a key takes beside its entries.
const OVERHEAD: u64 = 400;

/// Bodies under a key that are longer together are not copied for each worker.
const LARGE: u64 = 64 << 10;

/// What is stored under a key.
#[derive(Debug, Clone, Default)]
pub struct Variants {
    /// The newest last.
    pub entries: SmallVec<[Arc<Entry>; 1]>,
    /// Until when its responses are known not to be for others.
    private_until: Option<Moment>,
    /// Until when the origin is known not to answer ranges of it.
    unranged_until: Option<Moment>,
}

impl Variants {
    /// Whether its responses are not for others, as far as is known at `now`: nothing waits for them.
    pub fn is_private(&self, now: Moment) -> bool {
        self.private_until.is_some_and(|until| now < until)
    }

    /// Whether the origin answers no ranges of it, as far as is known at `now`.
    pub fn is_unranged(&self, now: Moment) -> bool {
        self.unranged_until.is_some_and(|until| now < until)
    }

    /// Copies that share nothing with these that is counted when they are served. Large bodies are shared.
    pub fn copied(&self) -> Self {
        let bodies = self.entries.iter().filter_map(|entry| entry.content.length());
        let with_bodies = bodies.sum::<u64>() <= LARGE;
        let copied = |entry: &Arc<Entry>| Arc::new(entry.copied(with_bodies));
        let entries = self.entries.iter().map(copied).collect();
        Self { entries, ..*self }
    }

    /// Those of a key that lay on disk.
    pub fn of(entries: SmallVec<[Arc<Entry>; 1]>) -> Self {
        Self { entries, ..Self::default() }
    }

    fn weight(&self) -> u64 {
        OVERHEAD + self.entries.iter().map(|entry| entry.weight()).sum::<u64>()
    }
}

/// What is stored in memory.
#[derive(Debug)]
pub struct Memory {
    stored: sync::Cache<u128, Arc<Variants>, BuildHasherDefault<KeyHasher>>,
    /// Keys that went for want of room.
    evictions: Arc<AtomicU64>,
    generations: Arc<Generations>,
}

/// Numbers that change with what is stored. Keys share one where they fall together.
#[derive(Debug)]
struct Generations(Box<[AtomicU64]>);

impl Generations {
    fn of(&self, key: u128) -> &AtomicU64 {
        &self.0[key as usize % self.0.len()]
    }

    fn changed(&self, key: u128) {
        self.of(key).fetch_add(1, Release);
    }
}

/// How many bytes a unit of weight stands for: weights have 32 bits.
const UNIT: u64 = 64;

impl Memory {
    /// Room for so many bytes. What goes for want of room is told to `gone`.
    pub fn new(bytes: u64, gone: impl Fn(&Arc<Entry>) + Send + Sync + 'static) -> Self {
        let weigh = |_: &u128, variants: &Arc<Variants>| {
            u32::try_from(variants.weight().div_ceil(UNIT)).unwrap_or(u32::MAX)
        };
        let evictions = Arc::<AtomicU64>::default();
        let generations = (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect();
        let generations = Arc::new(Generations(generations));
        let (counted, changed) = (evictions.clone(), generations.clone());
        let gone = move |key: Arc<u128>, variants: Arc<Variants>, cause| {
            changed.changed(*key);
            if cause == RemovalCause::Size {
                counted.fetch_add(1, Relaxed);
                variants.entries.iter().for_each(&gone);
            }
        };
        let builder = sync::Cache::builder().max_capacity(bytes / UNIT).weigher(weigh);
        let builder = builder.eviction_listener(gone);
        let stored = builder.build_with_hasher(BuildHasherDefault::default());
        Self { stored, evictions, generations }
    }

    /// A number that changes with what is stored under `key`.
    pub fn generation(&self, key: u128) -> u64 {
        self.generations.of(key).load(Acquire)
    }

    /// What is stored under `key`.
    pub fn get(&self, key: u128) -> Option<Arc<Variants>> {
        self.stored.get(&key)
    }

    /// Store `entry` in the place of the variant that was selected by the same fields, or what is `joined` of both, where
    /// that is something. Returns what is stored.
    pub fn put(
        &self,
        entry: Arc<Entry>,
        joined: impl Fn(&Entry, &Entry) -> Option<Entry>,
    ) -> Arc<Entry> {
        let (key, mut put) = (entry.key.hash, entry.clone());
        let _ = self.stored.entry(key).and_compute_with(|stored| {
            let mut entries = SmallVec::new();
            if let Some(stored) = &stored {
                let same = stored.value().entries.iter().find(|other| other.is_variant(&entry));
                if let Some(joined) = same.and_then(|other| joined(&entry, other)) {
                    put = Arc::new(joined);
                }
                let stored =
                    stored.value().entries.iter().filter(|other| {
                        other.key.text == entry.key.text && other.vary != entry.vary
                    });
                entries.extend(stored.cloned());
            }
            if entries.len() >= VARIANTS {
                entries.remove(0);
            }
            entries.push(put.clone());
            let unranged_until = stored.and_then(|stored| stored.value().unranged_until);
            Op::Put(Arc::new(Variants { entries, unranged_until, private_until: None }))
        });
        self.generations.changed(key);
        put
    }

    /// What is known of `entry` has changed.
    pub fn touch(&self, entry: &Entry) {
        self.generations.changed(entry.key.hash);
    }

    /// Store `entry`, which was stored before, unless there is a newer one by now.
    pub fn put_back(&self, entry: &Arc<Entry>) {
        let _ = self.stored.entry(entry.key.hash).and_compute_with(|stored| {
            let mut variants =
                stored.map(|stored| Variants::clone(stored.value())).unwrap_or_default();
            let is_newer =
                |other: &Arc<Entry>| other.key.text != entry.key.text || other.vary == entry.vary;
            if variants.entries.len() >= VARIANTS || variants.entries.iter().any(is_newer) {
                return Op::Nop;
            }
            variants.entries.insert(0, entry.clone());
            Op::Put(Arc::new(variants))
        });
        self.generations.changed(entry.key.hash);
    }

    /// Store the `other` one, where there is one, in the place of the one under `key` that `is_it`, if that is still
    /// stored.
    pub fn exchange(
        &self,
        key: u128,
        is_it: impl Fn(&Entry) -> bool,
        other: impl Fn(&Entry) -> Option<Entry>,
    ) {
        let _ = self.stored.entry(key).and_compute_with(|stored| {
            let Some(stored) = stored else { return Op::Nop };
            let mut variants = Variants::clone(stored.value());
            let mut entries = variants.entries.iter_mut();
            let Some(place) = entries.find(|entry| is_it(entry)) else { return Op::Nop };
            let Some(other) = other(place) else { return Op::Nop };
            *place = Arc::new(other);
            Op::Put(Arc::new(variants))
        });
        self.generations.changed(key);
    }

    /// Take `entry` away, if it is still stored.
    pub fn remove(&self, entry: &Arc<Entry>) {
        let _ = self.stored.entry(entry.key.hash).and_compute_with(|stored| {
            let Some(stored) = stored else { return Op::Nop };
            let mut left = Variants::clone(stored.value());
            left.entries.retain(|other| !other.is(entry));
            match left.entries.is_empty() {
                true => Op::Remove,
                false => Op::Put(Arc::new(left)),
            }
        });
        self.generations.changed(entry.key.hash);
    }

    /// Forget what is stored under `key`.
    pub fn forget(&self, key: u128) {
        self.stored.invalidate(&key);
        self.generations.changed(key);
    }

    /// The responses under `key` are not for others, as was seen at `now`.
    pub fn mark_private(&self, key: u128, now: Moment) {
        let _ = self.stored.entry(key).and_compute_with(|stored| {
            let mut variants =
                stored.map(|stored| Variants::clone(stored.value())).unwrap_or_default();
            variants.private_until = Some(now.after(PRIVATE));
            Op::Put(Arc::new(variants))
        });
        self.generations.changed(key);
    }

    /// The origin answers no ranges of what has this key, as was seen at `now`.
    pub fn mark_unranged(&self, key: u128, now: Moment) {
        let _ = self.stored.entry(key).and_compute_with(|stored| {
            let mut variants =
                stored.map(|stored| Variants::clone(stored.value())).unwrap_or_default();
            variants.unranged_until = Some(now.after(UNRANGED));
            Op::Put(Arc::new(variants))
        });
        self.generations.changed(key);
    }

    /// Bytes that it takes, as far as is reckoned up.
    pub fn bytes(&self) -> u64 {
        self.stored.weighted_size() * UNIT
    }

    /// Keys, as far as is reckoned up.
    pub fn keys(&self) -> u64 {
        self.stored.entry_count()
    }

    /// Keys that went for want of room.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Relaxed)
    }

    /// Reckon up what was stored and taken away.
    pub fn settle(&self) {
        self.stored.run_pending_tasks();
    }

    /// All that is stored, in no order.
    pub fn entries(&self) -> impl Iterator<Item = Arc<Entry>> {
        self.stored.iter().flat_map(|(_, variants)| variants.entries.clone())
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
