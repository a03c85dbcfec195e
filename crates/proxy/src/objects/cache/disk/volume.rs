//! A volume: the directory of a cache, the files that lie in it, and the threads that read and write them.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_core::cache::evict::{Evicted, Id};

use super::access::Unread;
use super::index::Index;
use super::store::Store;
use crate::long_work::LongWork;
use crate::net::clock;

/// Reads and writes that wait at the most.
pub const WAITING: usize = 256;
/// How long a disk that has failed is left alone.
const REST: Duration = Duration::from_secs(30);

/// A volume.
#[derive(Debug)]
pub struct Volume {
    pub root: PathBuf,
    pub store: Box<dyn Store>,
    pub index: Mutex<Index>,
    /// Held while files come to be found, or are removed. Locked before `index`, and by no worker.
    pub publishing: Mutex<()>,
    pub queue: Arc<LongWork>,
    /// Until when it is left alone, in nanoseconds.
    pub rests_until: AtomicU64,
    /// Whether it is part of what is served.
    pub is_served: AtomicBool,
    pub counts: Counts,
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

impl Volume {
    /// The volume in the directory `root`, whose files are in `store` and in `index`. Nothing is served of it yet.
    pub fn new(root: PathBuf, store: Box<dyn Store>, index: Index) -> Self {
        Self {
            root,
            store,
            index: Mutex::new(index),
            publishing: Mutex::new(()),
            queue: Arc::new(LongWork::holding(WAITING)),
            rests_until: AtomicU64::new(0),
            is_served: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    /// Whether it is asked just now.
    pub fn serves(&self) -> bool {
        self.is_served.load(Relaxed) && clock::now().0 >= self.rests_until.load(Relaxed)
    }

    /// Whether this still lies on disk, which is used once more.
    pub fn use_once_more(&self, id: Id) -> bool {
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

    /// Have files removed that the index does not have any more, unless there are new ones by then.
    pub fn remove_files(self: &Arc<Self>, ids: Evicted) {
        if ids.is_empty() || !self.is_served.load(Relaxed) {
            return;
        }
        self.index.lock().leave_behind(&ids);
        let volume = self.clone();
        // There are no more of these than objects were in the index.
        self.queue.insist(move || {
            let _publishing = volume.publishing.lock();
            for id in ids {
                let is_own = volume.is_served.load(Relaxed);
                let is_gone = is_own && volume.index.lock().take_left_behind(id);
                if is_gone && let Err(error) = volume.store.remove(id) {
                    volume.failed(&error);
                }
            }
        });
    }

    /// What lies under this id could not be read, or not be written.
    pub fn tell(self: &Arc<Self>, id: Id, unread: &Unread) {
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
    pub fn failed(&self, error: &io::Error) {
        self.counts.failures.fetch_add(1, Relaxed);
        let until = clock::now().after(REST).0;
        if self.rests_until.swap(until, Relaxed) <= clock::now().0 {
            let seconds = REST.as_secs();
            tracing::error!(path = %self.root.display(), %error, "the disk of a cache has failed and is left alone for {seconds} seconds");
        }
    }

    /// So many objects went for want of room.
    pub fn count_evictions(&self, count: usize) {
        self.counts.evictions.fetch_add(count as u64, Relaxed);
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.queue.end();
    }
}
