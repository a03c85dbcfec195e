//! What the endpoints of one upstream share about their health.

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crossbeam_utils::CachePadded;

use crate::plan::Percent;

/// Shared by the endpoints of one upstream.
///
/// It counts every change after which other endpoints may be picked than before, so that a balancer
/// learns with one load whether what it knows of all of them is still true; and it bounds how many
/// of them are ejected at a time, so that a fault of all is not answered by ejecting all.
#[derive(Debug, Default)]
pub struct Peers {
    changes: CachePadded<AtomicU64>,
    ejected: AtomicU32,
    /// How many may be ejected; one always may.
    limit: AtomicU32,
}

impl Peers {
    /// Let `percent` of `endpoints` be ejected at a time. Those that are already stay so.
    pub fn limit_ejections(&self, endpoints: usize, share: Percent) {
        self.limit.store((endpoints as f64 * share.fraction()) as u32, Relaxed);
    }

    /// Changes so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Acquire)
    }

    /// Endpoints that are ejected now.
    pub fn ejected(&self) -> u32 {
        self.ejected.load(Relaxed)
    }

    /// Something changed; called after it was written.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Release);
    }

    /// Count one more as ejected; false if that would be too many.
    pub(super) fn eject(&self) -> bool {
        let limit = self.limit.load(Relaxed).max(1);
        let add = |ejected| (ejected < limit).then(|| ejected + 1);
        self.ejected.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    /// One that was counted is ejected no more.
    pub(super) fn readmit(&self) {
        self.ejected.fetch_sub(1, Relaxed);
    }
}
