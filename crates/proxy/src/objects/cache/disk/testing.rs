//! Folders, entries and faulty stores for tests.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tidegate_core::cache::evict::Id;

use super::files::Files;
use super::store::{Content, Draft, Store};

/// A folder that is removed in the end.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new one.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let path = std::env::temp_dir().join(format!("tidegate-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is wrong with a store.
#[derive(Debug, Default)]
pub struct Faults {
    /// Nothing goes on as long as this is true.
    pub hangs: Mutex<bool>,
    /// It has changed.
    pub changed: Condvar,
    /// What writing fails with.
    pub writing: Mutex<Option<ErrorKind>>,
    /// What reading fails with.
    pub reading: Mutex<Option<ErrorKind>>,
}

impl Faults {
    /// Lets what hangs go on.
    pub fn go_on(&self) {
        *self.hangs.lock() = false;
        self.changed.notify_all();
    }

    fn pass(&self, fault: &Mutex<Option<ErrorKind>>) -> io::Result<()> {
        let mut hangs = self.hangs.lock();
        self.changed.wait_while(&mut hangs, |hangs| *hangs);
        fault.lock().map_or(Ok(()), |kind| Err(kind.into()))
    }
}

/// Files that are reached only as their faults allow, and never at once.
#[derive(Debug)]
pub struct Faulty {
    files: Files,
    faults: Arc<Faults>,
}

impl Faulty {
    /// The files of a folder.
    pub fn new(root: &Path, faults: &Arc<Faults>) -> Self {
        Self { files: Files::open(root).unwrap(), faults: faults.clone() }
    }
}

impl Store for Faulty {
    fn find(&self, id: Id) -> io::Result<File> {
        self.faults.pass(&self.faults.reading)?;
        self.files.find(id)
    }

    fn read(&self, file: &File, at: u64, length: u64) -> io::Result<Bytes> {
        self.faults.pass(&self.faults.reading)?;
        self.files.read(file, at, length)
    }

    fn find_at_once(&self, _: Id) -> Option<File> {
        None
    }

    fn read_at_once(&self, _: &File, _: u64, _: u64) -> Option<Bytes> {
        None
    }

    fn write(&self, content: &mut Content<'_>) -> io::Result<Draft> {
        self.faults.pass(&self.faults.writing)?;
        self.files.write(content)
    }

    fn publish(&self, draft: Draft, id: Id) -> io::Result<u64> {
        self.files.publish(draft, id)
    }

    fn remove(&self, id: Id) -> io::Result<()> {
        self.files.remove(id)
    }

    fn list(&self, part: u8) -> io::Result<Vec<(Id, u64)>> {
        self.files.list(part)
    }
}
