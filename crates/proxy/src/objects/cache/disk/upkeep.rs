//! Upkeep: what is done for a disk from time to time, by a thread of its own that leaves the disk to others in between.

use std::fs;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tidegate_core::cache::evict::Id;

use super::access::{Access, Unread};
use super::index_file::{self, Stored};
use super::purge_log::PurgeLog;
use super::{Disk, GONE};
use crate::net::clock;

/// How often the index is written.
const PERIOD: Duration = Duration::from_secs(60);
/// Files that are looked at before the disk is left alone, and for how long it is.
const FILES: usize = 64;
const BREAK: Duration = Duration::from_millis(5);

/// What is to be done.
#[derive(Debug, Default)]
struct Orders {
    scan: bool,
    /// Up to which purge what was purged is to be taken away.
    sweep: Option<u64>,
    ends: bool,
}

/// Where it is asked for.
#[derive(Debug, Default)]
pub struct Bell {
    orders: Mutex<Orders>,
    changed: Condvar,
}

impl Bell {
    /// Find what the index does not know.
    pub fn scan(&self) {
        self.order(|orders| orders.scan = true);
    }

    /// Take away what was purged up to this number, then forget these purges.
    pub fn sweep(&self, purge: u64) {
        self.order(|orders| orders.sweep = orders.sweep.max(Some(purge)));
    }

    /// End.
    pub fn end(&self) {
        self.order(|orders| orders.ends = true);
    }

    fn order(&self, order: impl FnOnce(&mut Orders)) {
        order(&mut self.orders.lock());
        self.changed.notify_one();
    }

    /// Leave the disk alone for a moment.
    fn pause(&self) {
        let mut orders = self.orders.lock();
        if !orders.ends {
            self.changed.wait_for(&mut orders, BREAK);
        }
    }

    fn ends(&self) -> bool {
        self.orders.lock().ends
    }

    /// The orders that there are, or that come within a period.
    fn wait(&self) -> Orders {
        let mut orders = self.orders.lock();
        if !orders.scan && orders.sweep.is_none() && !orders.ends {
            self.changed.wait_for(&mut orders, PERIOD);
        }
        let ends = orders.ends;
        Orders { ends, ..std::mem::take(&mut *orders) }
    }
}

/// Keep a disk up until it is gone.
pub fn run(disk: &Weak<Disk>, bell: &Bell) {
    let mut written = Instant::now();
    loop {
        let orders = bell.wait();
        let Some(disk) = disk.upgrade() else { return };
        if orders.ends {
            disk.leave();
            return;
        }
        if orders.scan {
            disk.scan(bell);
            disk.keep_index();
        }
        if let Some(purge) = orders.sweep {
            disk.sweep_files(purge, bell);
        }
        if written.elapsed() >= PERIOD {
            disk.keep_index();
            written = Instant::now();
        }
    }
}

impl Disk {
    /// Write the index, unless the directory is another one's by now.
    fn keep_index(&self) {
        let _publishing = self.volume.publishing.lock();
        if self.volume.is_served.load(Relaxed) {
            self.write_index();
        }
    }

    /// Write the index.
    pub(super) fn write_index(&self) {
        let objects = self.volume.index.lock().objects().collect();
        let stored = Stored { time: self.clock.at(clock::now()), objects };
        if let Err(error) = index_file::write(&self.volume.root, &stored) {
            self.volume.failed(&error);
        }
    }

    /// Take in what lies on disk and is not known, and clear away what is no file of this version.
    fn scan(self: &Arc<Self>, bell: &Bell) {
        // What cannot be removed takes room, no more.
        let _ = fs::remove_dir_all(self.volume.root.join(GONE));
        let mut looked = Looked::default();
        for part in 0..=u8::MAX {
            let files = self.volume.store.list(part).unwrap_or_else(|error| {
                self.volume.failed(&error);
                Vec::new()
            });
            for (id, bytes) in files {
                if self.volume.index.lock().knows(id) {
                    continue;
                }
                if looked.at_one_more(bell).is_break() {
                    return;
                }
                self.take_in(id, bytes);
            }
        }
    }

    /// Take in a file that is not known, or remove it.
    fn take_in(self: &Arc<Self>, id: Id, bytes: u64) {
        let read = self.read(id, Access::waiting(&*self.volume.store));
        let publishing = self.volume.publishing.lock();
        let mut index = self.volume.index.lock();
        if index.knows(id) || !self.volume.is_served.load(Relaxed) {
            return;
        }
        let removed = match read {
            Ok(entry) if self.purges.spare(&entry, clock::now()) => index.add(id, bytes),
            Err(Unread::Failed(_)) => return,
            Ok(_) | Err(Unread::Broken) => std::iter::once(id).collect(),
        };
        drop(index);
        if let Err(error) = removed.into_iter().try_for_each(|id| self.volume.store.remove(id)) {
            self.volume.failed(&error);
        }
        drop(publishing);
    }

    /// Take away what was purged up to this number.
    fn sweep_files(self: &Arc<Self>, purge: u64, bell: &Bell) {
        let ids: Vec<_> = self.volume.index.lock().objects().map(|(id, _)| id).collect();
        let mut looked = Looked::default();
        for id in ids {
            if looked.at_one_more(bell).is_break() {
                return;
            }
            match self.read(id, Access::waiting(&*self.volume.store)) {
                Ok(entry) if !self.purges.spare(&entry, clock::now()) => self.volume.forget(id),
                // Once the purge is forgotten only the file can tell that it is stale.
                Ok(entry) if entry.is_softened() => self.write_again(id, &entry),
                Ok(_) => {}
                Err(unread) => self.volume.tell(id, &unread),
            }
        }
        let mut log = self.log.lock();
        if !self.volume.serves() {
            // What could not be read or written may still have to be taken away.
            return;
        }
        self.purges.forget(purge);
        match PurgeLog::begin(&self.volume.root, &self.purges.told()) {
            Ok(begun) => *log = begun,
            Err(error) => self.volume.failed(&error),
        }
    }
}

/// How many files were looked at without a break.
#[derive(Default)]
struct Looked(usize);

impl Looked {
    /// Go on, after a break where it is time for one; break off where all ends.
    fn at_one_more(&mut self, bell: &Bell) -> ControlFlow<()> {
        self.0 += 1;
        if self.0.is_multiple_of(FILES) {
            bell.pause();
        }
        if bell.ends() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
