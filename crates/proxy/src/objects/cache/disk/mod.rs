//! What a cache keeps on disk: one file an object, and an index of them in memory.
//!
//! Nothing that waits for a disk is done on a worker. Two threads beside the workers read and write; what they are to do
//! waits in a queue that has an end, beyond which nothing is found and nothing is stored. What is in memory and what is on
//! disk under one id is the same response: a newer one that is put into memory takes the older one off the disk.

mod access;
mod body;
mod bytes;
pub mod clock;
mod files;
pub mod head;
mod index;
mod index_file;
pub mod layout;
mod load;
mod open;
pub mod purge_log;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod upkeep;
mod write;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tidegate_core::cache::evict::{Evicted, Id};
use tidegate_core::plan::{CacheAdmission, CacheDisk};
use tidegate_core::time::Moment;

pub use self::body::StoredBody;
pub use self::load::Loaded;

pub use self::write::id_of;

use self::access::Unread;
use self::clock::DiskClock;
use self::index::Index;
use self::purge_log::PurgeLog;
use self::store::Store;
use self::upkeep::Bell;
use super::entry::Entry;
use super::purge::{Force, Purge, Target};
use super::purges::Purges;
use super::uses::Uses;
use crate::long_work::LongWork;
use crate::net::clock as clock_of_process;
use crate::objects::under_way::UnderWay;

/// The folder of what is being cleared away.
const GONE: &str = "gone";
/// Reads and writes that wait at the most.
const WAITING: usize = 256;
/// How long a disk that has failed is left alone.
const REST: Duration = Duration::from_secs(30);

/// What a cache keeps on disk.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    store: Box<dyn Store>,
    index: Mutex<Index>,
    /// A write of what the index has as being written is over.
    written: Condvar,
    /// Held while files come to be found, or are removed. Locked before `index`, and by no worker.
    publishing: Mutex<()>,
    queue: Arc<LongWork>,
    bell: Arc<Bell>,
    clock: DiskClock,
    purges: Arc<Purges>,
    log: Mutex<PurgeLog>,
    /// Whether this is known to be worth it only from the second request on.
    admits_all: AtomicBool,
    uses: Uses,
    loading: Arc<UnderWay<u128, Loaded>>,
    /// Until when it is left alone, in nanoseconds.
    rests_until: AtomicU64,
    /// Whether it is part of what is served.
    is_served: AtomicBool,
    counts: Counts,
    /// Keeps other processes out.
    lock: File,
}

/// What is counted.
#[derive(Debug, Default)]
pub struct Counts {
    /// Objects that went for want of room.
    pub evictions: AtomicU64,
    /// Reads and writes that failed.
    pub failures: AtomicU64,
    /// Files that were not as they were written.
    pub broken: AtomicU64,
}

impl Disk {
    /// What is counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Bytes that files take, and how many there are.
    pub fn stored(&self) -> (u64, u64) {
        let index = self.index.lock();
        (index.bytes(), index.len() as u64)
    }

    /// Reads and writes that wait.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Whether this is its directory.
    pub fn is_at(&self, path: &str) -> bool {
        self.root == Path::new(path)
    }

    /// Be as `plan` says from now on.
    pub fn follow(self: &Arc<Self>, plan: &CacheDisk) {
        self.is_served.store(true, Relaxed);
        self.admits_all.store(plan.admit == CacheAdmission::Always, Relaxed);
        let evicted = self.index.lock().resize(plan.size.get());
        self.count_evictions(evicted.len());
        self.remove_files(evicted);
        self.bell.scan();
    }

    /// Whether it is asked just now.
    fn serves(&self) -> bool {
        self.is_served.load(Relaxed) && self.now().0 >= self.rests_until.load(Relaxed)
    }

    /// Whether there is something of the key of this hash.
    pub fn has(&self, hash: u128) -> bool {
        self.serves() && !self.index.lock().variants(hash).is_empty()
    }

    /// Whether `entry` was asked for so often that it is kept.
    fn admits(&self, entry: &Entry) -> bool {
        self.admits_all.load(Relaxed) || entry.hits() > 0 || self.uses.count(entry.key.hash) > 1
    }

    /// Whether this still lies on disk, which is used once more.
    fn use_once_more(&self, id: Id) -> bool {
        let mut index = self.index.lock();
        index.touch(id);
        index.has(id)
    }

    /// What lies under this id does not hold any more, nor does what is being written there.
    pub fn forget(self: &Arc<Self>, id: Id) {
        if self.index.lock().remove(id) {
            self.remove_files(std::iter::once(id).collect());
        }
    }

    /// Nothing of the key of this hash holds any more.
    pub fn forget_key(self: &Arc<Self>, hash: u128) {
        let removed = self.index.lock().remove_key(hash);
        self.remove_files(removed.into_iter().collect());
    }

    /// Have files removed that the index does not have any more, unless there are new ones by then.
    fn remove_files(self: &Arc<Self>, ids: Evicted) {
        if ids.is_empty() || !self.is_served.load(Relaxed) {
            return;
        }
        self.index.lock().leave_behind(&ids);
        let disk = self.clone();
        // There are no more of these than objects were in the index.
        self.queue.insist(move || {
            let _publishing = disk.publishing.lock();
            for id in ids {
                let is_own = disk.is_served.load(Relaxed);
                let is_gone = is_own && disk.index.lock().take_left_behind(id);
                if is_gone && let Err(error) = disk.store.remove(id) {
                    disk.failed(&error);
                }
            }
        });
    }

    /// What lies under this id could not be read, or not be written.
    fn tell(self: &Arc<Self>, id: Id, unread: &Unread) {
        match unread {
            Unread::Failed(error) if error.kind() == ErrorKind::NotFound => {
                self.index.lock().remove(id);
            }
            Unread::Failed(error) => self.failed(error),
            Unread::Broken => {
                self.counts.broken.fetch_add(1, Relaxed);
                tracing::warn!(path = %self.root.display(), id = format!("{id:032x}"), "a file of a cache is not as it was written and is removed");
                self.forget(id);
            }
        }
    }

    /// The disk has failed: it is left alone for a while.
    fn failed(&self, error: &io::Error) {
        self.counts.failures.fetch_add(1, Relaxed);
        let until = self.now().after(REST).0;
        if self.rests_until.swap(until, Relaxed) <= self.now().0 {
            let seconds = REST.as_secs();
            tracing::error!(path = %self.root.display(), %error, "the disk of a cache has failed and is left alone for {seconds} seconds");
        }
    }

    fn count_evictions(&self, count: usize) {
        self.counts.evictions.fetch_add(count as u64, Relaxed);
    }

    /// Remember a purge that was made, beyond the end of the process where it is `synced` once this returns.
    ///
    /// # Errors
    /// If it cannot be remembered. Nothing on disk is believed after a restart then.
    pub fn remember(&self, purge: &Purge, is_synced: bool) -> Result<(), String> {
        let added = self.log.lock().add(purge, is_synced);
        added.map_err(|error| {
            self.failed(&error);
            let path = self.root.display();
            format!("it is purged, but that cannot be written to {path} ({error}): after a restart that cache begins empty")
        })
    }

    /// The same, of a worker, which does not wait for it.
    pub fn remember_soon(self: &Arc<Self>, number: u64, target: Target, force: Force) {
        let disk = self.clone();
        self.queue.insist(move || {
            // It is told when it fails.
            let _ = disk.remember(&Purge { number, target, force }, false);
        });
    }

    /// Have what was purged up to this number taken away, and these purges forgotten.
    pub fn sweep(&self, purge: u64) {
        self.bell.sweep(purge);
    }

    /// Keep what leaves memory with the process, for at most `limit`, and be ready for the next process.
    pub fn close(self: &Arc<Self>, leaving: impl Iterator<Item = Arc<Entry>>, limit: Duration) {
        let began = Instant::now();
        if !self.serves() {
            return;
        }
        for entry in leaving {
            if began.elapsed() >= limit || !self.serves() {
                break;
            }
            self.take_now(&entry);
        }
        let mut index = self.index.lock();
        while index.is_written() && !self.written.wait_until(&mut index, began + limit).timed_out()
        {
        }
        drop(index);
        self.is_served.store(false, Relaxed);
        self.leave();
        self.queue.end();
    }

    /// It is part of what is served no more. What is read of it just now is read to its end.
    pub fn end(&self) {
        self.is_served.store(false, Relaxed);
        self.bell.end();
    }

    /// Be ready for another process.
    fn leave(&self) {
        // What is written later would be in the other one's way.
        let _writing = (self.publishing.lock(), self.log.lock());
        self.write_index();
        // Where that fails the end of the process does it.
        let _ = self.lock.unlock();
    }

    fn now(&self) -> Moment {
        clock_of_process::now()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.bell.end();
        self.queue.end();
    }
}
