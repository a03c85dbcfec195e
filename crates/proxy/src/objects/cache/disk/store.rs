//! Where stored responses lie: what the file system does for a cache.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use tidegate_core::cache::evict::Id;

/// What writes a file's content.
pub type Content<'a> = dyn FnMut(&mut dyn Write) -> io::Result<()> + 'a;

/// Keeps files by id. All of it may take as long as a disk takes, but for what says that it does not wait.
pub trait Store: Debug + Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// Those of the file system; [`io::ErrorKind::NotFound`] where there is none.
    fn find(&self, id: Id) -> io::Result<File>;

    /// Reads up to so many bytes of a file, fewer only where it ends.
    ///
    /// # Errors
    /// Those of the file system.
    fn read(&self, file: &File, at: u64, length: u64) -> io::Result<Bytes>;

    /// Opens a file without waiting for a disk; `None` where that is not possible.
    fn find_at_once(&self, id: Id) -> Option<File>;

    /// Reads so many bytes of a file without waiting for a disk; `None` where they are not in memory.
    fn read_at_once(&self, file: &File, at: u64, length: u64) -> Option<Bytes>;

    /// Writes a file that is not found yet.
    ///
    /// # Errors
    /// Those of the file system and of `content`. Nothing is left of the file then.
    fn write(&self, content: &mut Content<'_>) -> io::Result<Draft>;

    /// Lets a file be found, in the place of the one before it. Returns the bytes that it takes.
    ///
    /// # Errors
    /// Those of the file system. Nothing is left of the file then.
    fn publish(&self, draft: Draft, id: Id) -> io::Result<u64>;

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// Those of the file system.
    fn remove(&self, id: Id) -> io::Result<()>;

    /// The files of one of the 256 parts, with the bytes that they take.
    ///
    /// # Errors
    /// Those of the file system.
    fn list(&self, part: u8) -> io::Result<Vec<(Id, u64)>>;
}

/// A file that is not found yet. It is removed unless it is published.
#[derive(Debug)]
pub struct Draft {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The bytes that it takes.
    pub(super) bytes: u64,
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Where it was published it is not there any more; what cannot be removed now is when the cache is opened.
        let _ = std::fs::remove_file(&self.path);
    }
}
