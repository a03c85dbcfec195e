//! Opening the directory of a cache.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::SystemTime;

use parking_lot::{Condvar, Mutex};
use tidegate_core::plan::CacheDisk;

use super::clock::DiskClock;
use super::files::{DRAFTS, Files};
use super::index::Index;
use super::index_file::{self, Stored};
use super::purge_log::{self, PurgeLog};
use super::store::Store;
use super::volume::Volume;
use super::{Disk, GONE, Past, place, upkeep};
use crate::net::clock;
use crate::objects::cache::purges::Purges;
use crate::objects::cache::uses::Uses;

/// The threads that read and write.
const THREADS: usize = 2;

impl Disk {
    /// What the directory of `plan` holds, which is this process's from now on. The purges that were made when it was last
    /// used are noted among `purges`.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub fn open(plan: &CacheDisk, purges: &Arc<Purges>) -> Result<Arc<Self>, String> {
        let root = Path::new(&plan.path);
        let cannot = |error: io::Error| format!("{} cannot be written: {error}", plan.path);
        fs::create_dir_all(root).map_err(cannot)?;
        let lock = lock(root)?;
        check_room(root, plan.size.get())?;
        // What was being written when a process ended is cleared away by and by.
        set_aside(root, DRAFTS).map_err(cannot)?;
        let files = Files::open(root).map_err(cannot)?;
        Self::with(Box::new(files), root, lock, plan, purges).map_err(cannot)
    }

    /// The same with another store.
    pub(super) fn with(
        store: Box<dyn Store>,
        root: &Path,
        lock: File,
        plan: &CacheDisk,
        purges: &Arc<Purges>,
    ) -> io::Result<Arc<Self>> {
        let told = purge_log::read(root);
        let stored = match &told {
            Some(_) => index_file::read(root).unwrap_or_default(),
            None => {
                set_objects_aside(root)?;
                Stored::default()
            }
        };
        let past = match &told {
            Some(_) => Past::Objects(place::read(root)),
            None => Past::Empty,
        };
        purges.recall(told.unwrap_or_default());
        let log = PurgeLog::begin(root, &purges.told())?;
        // Where it has become smaller, the files that leave are found when it is looked through.
        let index = Index::holding(plan.size.get(), &stored.objects);
        let disk = Arc::new(Self {
            volume: Arc::new(Volume::new(root.into(), store, index)),
            written: Condvar::new(),
            bell: Arc::default(),
            clock: DiskClock::new(SystemTime::now(), clock::now(), stored.time),
            purges: purges.clone(),
            log: Mutex::new(log),
            admits_all: AtomicBool::new(false),
            uses: Uses::default(),
            loading: Arc::default(),
            past,
            is_believed: AtomicBool::new(true),
            lock,
        });
        disk.start()?;
        Ok(disk)
    }

    /// Starts its threads, which end with it.
    fn start(self: &Arc<Self>) -> io::Result<()> {
        for number in 0..THREADS {
            let queue = self.volume.queue.clone();
            let thread = thread::Builder::new().name(format!("cache-disk-{number}"));
            thread.spawn(move || {
                // What panicked is gone, with what waited for it; the next is done.
                while catch_unwind(AssertUnwindSafe(|| queue.run())).is_err() {}
            })?;
        }
        let (disk, bell) = (Arc::downgrade(self), self.bell.clone());
        let thread = thread::Builder::new().name("cache-upkeep".into());
        thread.spawn(move || upkeep::run(&disk, &bell))?;
        Ok(())
    }
}

/// Keeps other processes, and other caches, out of a directory.
pub(super) fn lock(root: &Path) -> Result<File, String> {
    let path = root.join("lock");
    let cannot = |error: io::Error| format!("{} cannot be written: {error}", path.display());
    let lock = File::options().create(true).append(true).open(&path).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(format!(
            "{} is in use by another process or another cache: give each cache a directory of its own",
            root.display()
        )),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// Whether the file system of a directory has so many bytes, used ones among them.
fn check_room(root: &Path, bytes: u64) -> Result<(), String> {
    let path = root.display();
    let room = rustix::fs::statvfs(root)
        .map_err(|error| format!("the room of {path} cannot be told: {error}"))?;
    let all = room.f_blocks.saturating_mul(room.f_frsize);
    if bytes <= all {
        return Ok(());
    }
    Err(format!("a size of {bytes} bytes is more than the file system of {path} has: {all} bytes"))
}

/// What lies there is not believed, and is cleared away by and by.
fn set_objects_aside(root: &Path) -> io::Result<()> {
    (0..=u8::MAX).try_for_each(|part| set_aside(root, &format!("{part:02x}")))
}

fn set_aside(root: &Path, folder: &str) -> io::Result<()> {
    let gone = root.join(GONE);
    fs::create_dir_all(&gone)?;
    let free = (0u64..).map(|number| gone.join(format!("{folder}-{number}")));
    let mut free = free.skip_while(|path| path.exists());
    match free.next().map(|path| fs::rename(root.join(folder), path)) {
        Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
