//! What a cache keeps on disk: one file an object, and an index of them in memory.
//!
//! Nothing that waits for a disk is done on a worker. Two threads beside the workers read and write; what they are to do
//! waits in a queue that has an end, beyond which nothing is found and nothing is stored. What is in memory and what is on
//! disk under one id is the same response: a newer one that is put into memory takes the older one off the disk.

mod access;
pub mod body;
mod bytes;
pub mod clock;
mod files;
pub mod head;
mod index;
mod index_file;
pub mod layout;
mod load;
mod open;
mod place;
pub mod purge_log;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod upkeep;
mod volume;
mod write;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tidegate_core::plan::{CacheAdmission, CacheDisk};

pub use self::load::Loaded;

use self::clock::DiskClock;
use self::purge_log::PurgeLog;
use self::upkeep::Bell;
use self::volume::{Counts, Volume};
use self::write::id_of;
use super::entry::Entry;
use super::purge::{Force, Purge, Target};
use super::purges::Purges;
use super::uses::Uses;
use crate::objects::store::stream::Id;
use crate::objects::under_way::UnderWay;

/// The folder of what is being cleared away.
const GONE: &str = "gone";

/// What a cache keeps on disk.
#[derive(Debug)]
pub struct Disk {
    volume: Arc<Volume>,
    /// A write of what the index has as being written is over.
    written: Condvar,
    bell: Arc<Bell>,
    clock: DiskClock,
    purges: Arc<Purges>,
    log: Mutex<PurgeLog>,
    /// Whether this is known to be worth it only from the second request on.
    admits_all: AtomicBool,
    uses: Uses,
    loading: Arc<UnderWay<u128, Loaded>>,
    past: Past,
    /// Whether what lies there may be used: else purges of other gateways are awaited that may take it.
    is_believed: AtomicBool,
    /// Keeps other processes out.
    lock: File,
}

/// What was in a directory when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Nothing that is believed.
    Empty,
    /// Objects that were purged by other gateways' word up to this place, where it is known.
    Objects(Option<Id>),
}

impl Disk {
    /// What was there when it was opened.
    pub fn past(&self) -> Past {
        self.past
    }

    /// What lies there is not used until it is believed again.
    pub fn distrust(&self) {
        self.is_believed.store(false, Relaxed);
    }

    /// What lies there may be used.
    pub fn believe(&self) {
        self.is_believed.store(true, Relaxed);
    }

    /// Whether what lies there may be used.
    fn is_believed(&self) -> bool {
        self.is_believed.load(Relaxed)
    }

    /// The purges of other gateways up to this place are remembered.
    pub fn reach(&self, place: Id) {
        // In the order of the purges, and in no other process's way.
        let _log = self.log.lock();
        if self.volume.is_served.load(Relaxed)
            && let Err(error) = place::write(&self.volume.root, place)
        {
            self.volume.failed(&error);
        }
    }

    /// What is counted.
    pub fn counts(&self) -> &Counts {
        &self.volume.counts
    }

    /// Bytes that files take, and how many there are.
    pub fn stored(&self) -> (u64, u64) {
        let index = self.volume.index.lock();
        (index.bytes(), index.len() as u64)
    }

    /// Reads and writes that wait.
    pub fn waiting(&self) -> usize {
        self.volume.queue.waiting()
    }

    /// Whether this is its directory.
    pub fn is_at(&self, path: &str) -> bool {
        self.volume.root == Path::new(path)
    }

    /// Be as `plan` says from now on.
    pub fn follow(self: &Arc<Self>, plan: &CacheDisk) {
        self.volume.is_served.store(true, Relaxed);
        self.admits_all.store(plan.admit == CacheAdmission::Always, Relaxed);
        let evicted = self.volume.index.lock().resize(plan.size.get());
        self.volume.count_evictions(evicted.len());
        self.volume.remove_files(evicted);
        self.bell.scan();
    }

    /// Whether there is something of the key of this hash.
    pub fn has(&self, hash: u128) -> bool {
        self.volume.serves()
            && self.is_believed()
            && !self.volume.index.lock().variants(hash).is_empty()
    }

    /// Whether `entry` was asked for so often that it is kept.
    fn admits(&self, entry: &Entry) -> bool {
        self.admits_all.load(Relaxed) || entry.hits() > 0 || self.uses.count(entry.key.hash) > 1
    }

    /// What is kept of `entry` does not hold any more, nor does what is being written of it.
    pub fn forget(&self, entry: &Entry) {
        self.volume.forget(id_of(entry));
    }

    /// Nothing of the key of this hash holds any more.
    pub fn forget_key(&self, hash: u128) {
        let removed = self.volume.index.lock().remove_key(hash);
        self.volume.remove_files(removed.into_iter().collect());
    }

    /// Remember purges that were made, beyond the end of the process where they are `synced` once this returns.
    ///
    /// # Errors
    /// If they cannot be remembered. Nothing on disk is believed after a restart then.
    pub fn remember(&self, purges: &[Purge], is_synced: bool) -> Result<(), String> {
        let added = self.log.lock().add(purges, is_synced);
        added.map_err(|error| {
            self.volume.failed(&error);
            let path = self.volume.root.display();
            format!("it is purged, but that cannot be written to {path} ({error}): after a restart that cache begins empty")
        })
    }

    /// The same, of a worker, which does not wait for it.
    pub fn remember_soon(self: &Arc<Self>, number: u64, target: Target, force: Force) {
        let disk = self.clone();
        self.volume.queue.insist(move || {
            // It is told when it fails.
            let _ = disk.remember(&[Purge { number, target, force }], false);
        });
    }

    /// Have what was purged up to this number taken away, and these purges forgotten.
    pub fn sweep(&self, purge: u64) {
        self.bell.sweep(purge);
    }

    /// Keep what leaves memory with the process, for at most `limit`, and be ready for the next process.
    pub fn close(self: &Arc<Self>, leaving: impl Iterator<Item = Arc<Entry>>, limit: Duration) {
        let began = Instant::now();
        if !self.volume.serves() {
            return;
        }
        for entry in leaving {
            if began.elapsed() >= limit || !self.volume.serves() {
                break;
            }
            self.take_now(&entry);
        }
        let mut index = self.volume.index.lock();
        while index.is_written() && !self.written.wait_until(&mut index, began + limit).timed_out()
        {
        }
        drop(index);
        self.volume.is_served.store(false, Relaxed);
        self.leave();
        self.volume.queue.end();
    }

    /// It is part of what is served no more. What is read of it just now is read to its end.
    pub fn end(&self) {
        self.volume.is_served.store(false, Relaxed);
        self.bell.end();
    }

    /// Be ready for another process.
    fn leave(&self) {
        // What is written later would be in the other one's way.
        let _writing = (self.volume.publishing.lock(), self.log.lock());
        self.write_index();
        // Where that fails the end of the process does it.
        let _ = self.lock.unlock();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.bell.end();
    }
}
