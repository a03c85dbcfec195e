//! Reading what lies on disk, on a thread that may wait for it or on a worker that may not.

use std::fs::File;
use std::io::{self, ErrorKind};

use bytes::Bytes;
use tidegate_core::cache::evict::Id;

use super::store::Store;

/// Access to a store. Where it may not wait, what would have to is [`ErrorKind::WouldBlock`].
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    store: &'a dyn Store,
    waits: bool,
}

/// Why something cannot be read.
#[derive(Debug)]
pub enum Unread {
    /// It is not what was written.
    Broken,
    /// The store says so.
    Failed(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Unread {
    /// Whether it could be read by a thread that may wait.
    pub fn is_for_thread(&self) -> bool {
        matches!(self, Self::Failed(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

impl<'a> Access<'a> {
    /// One that takes its time.
    pub fn waiting(store: &'a dyn Store) -> Self {
        Self { store, waits: true }
    }

    /// One that does not wait.
    pub fn at_once(store: &'a dyn Store) -> Self {
        Self { store, waits: false }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Those of the store.
    pub fn find(self, id: Id) -> io::Result<File> {
        match self.waits {
            true => self.store.find(id),
            false => self.store.find_at_once(id).ok_or_else(|| ErrorKind::WouldBlock.into()),
        }
    }

    /// Reads so many bytes of a file, which there must be.
    ///
    /// # Errors
    /// If they are not there, or cannot be read.
    pub fn read(self, file: &File, at: u64, length: u64) -> Result<Bytes, Unread> {
        if !self.waits {
            let read = self.store.read_at_once(file, at, length);
            return read.ok_or_else(|| io::Error::from(ErrorKind::WouldBlock).into());
        }
        let read = self.store.read(file, at, length)?;
        if read.len() as u64 == length { Ok(read) } else { Err(Unread::Broken) }
    }
}
