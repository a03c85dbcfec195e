//! Values that every worker keeps for itself and that are added up when they are read.

use std::ops::Index;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

/// One `T` for each worker, on cache lines that workers do not share.
///
/// A worker's part is made when it is first used: an unused value costs 16 bytes a worker, so that
/// 10,000 routes of which few are busy stay cheap.
#[derive(Debug)]
pub(super) struct Sharded<T> {
    shards: Box<[OnceLock<Box<CachePadded<T>>>]>,
}

impl<T: Default> Sharded<T> {
    /// Room for `workers` parts.
    pub(super) fn new(workers: usize) -> Self {
        Self { shards: (0..workers).map(|_| OnceLock::new()).collect() }
    }

    /// The part of `worker`, which must be below the number of workers.
    pub(super) fn of(&self, worker: usize) -> &T {
        self.shards[worker].get_or_init(Box::default)
    }

    /// The parts that were ever used.
    pub(super) fn used(&self) -> impl Iterator<Item = &T> {
        self.shards.iter().filter_map(|shard| shard.get().map(|part| &***part))
    }

    /// Adds up one counter over all workers.
    pub(super) fn sum(&self, counter: impl Fn(&T) -> &Counter) -> u64 {
        self.used().map(|part| counter(part).get()).sum()
    }

    /// How many there are now of what is counted as it begins and as it ends.
    pub(super) fn open(
        &self,
        begun: impl Fn(&T) -> &Counter,
        ended: impl Fn(&T) -> &Counter,
    ) -> u64 {
        // In this order, so that what ends meanwhile has not ended before it began.
        let ended = self.sum(ended);
        self.sum(begun).saturating_sub(ended)
    }
}

/// A number that only grows, counted by one thread and read by any.
///
/// With one writer an addition need not be atomic, which would cost more than all the rest of counting.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`; called by its one thread.
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The number now.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A counter for each of `N` kinds.
#[derive(Debug)]
pub(super) struct Counters<const N: usize>([Counter; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl<const N: usize> Index<usize> for Counters<N> {
    type Output = Counter;

    fn index(&self, kind: usize) -> &Counter {
        &self.0[kind]
    }
}

/// A number that only grows, counted by any thread.
#[derive(Debug, Default)]
pub(super) struct SharedCounter(AtomicU64);

impl SharedCounter {
    /// Adds `n`.
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The number now.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
