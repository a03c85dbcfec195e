//! Stored responses as files of a directory, each under its id: `ab/<id>`.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tidegate_core::cache::evict::Id;

use super::store::{Content, Draft, Store};

/// The folder of what is being written.
pub const DRAFTS: &str = "tmp";
/// What the file system counts blocks in (stat(2)).
const STAT_BLOCK: u64 = 512;

/// The files of a directory.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    drafts: AtomicU64,
    /// Whether the kernel and the file system read what is in memory without waiting. Overlays, old kernels and what
    /// filters system calls may not.
    reads_at_once: bool,
}

impl Files {
    /// Those of `root`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join(DRAFTS))?;
        let mut files = Self { root: root.into(), drafts: AtomicU64::new(0), reads_at_once: false };
        files.reads_at_once = files.probe()?;
        Ok(files)
    }

    /// Whether a file is opened and read without waiting.
    fn probe(&self) -> io::Result<bool> {
        let draft = self.write(&mut |out| out.write_all(b"probe"))?;
        let opened = open_at_once(&draft.path);
        Ok(opened.is_ok_and(|file| {
            let mut read = [0; 5];
            let into = &mut [IoSliceMut::new(&mut read)];
            matches!(preadv2(&file, into, 0, ReadWriteFlags::NOWAIT), Ok(_) | Err(Errno::AGAIN))
        }))
    }

    fn path(&self, id: Id) -> PathBuf {
        self.root.join(format!("{:02x}", id >> 120)).join(format!("{id:032x}"))
    }

    fn fill(&self, path: &Path, content: &mut Content<'_>) -> io::Result<u64> {
        let file = File::options().write(true).create_new(true).open(path)?;
        let mut out = BufWriter::with_capacity(64 << 10, file);
        content(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let metadata = file.metadata()?;
        // What is not laid out yet has no blocks.
        Ok((metadata.blocks() * STAT_BLOCK)
            .max(metadata.len().next_multiple_of(metadata.blksize())))
    }
}

fn open_at_once(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).map(File::from)
}

impl Store for Files {
    fn find(&self, id: Id) -> io::Result<File> {
        File::open(self.path(id))
    }

    fn read(&self, file: &File, at: u64, length: u64) -> io::Result<Bytes> {
        let mut read = vec![0; length as usize];
        let mut came = 0;
        while came < read.len() {
            match file.read_at(&mut read[came..], at + came as u64) {
                Ok(0) => break,
                Ok(more) => came += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        read.truncate(came);
        Ok(read.into())
    }

    fn find_at_once(&self, id: Id) -> Option<File> {
        if self.reads_at_once { open_at_once(&self.path(id)).ok() } else { None }
    }

    fn read_at_once(&self, file: &File, at: u64, length: u64) -> Option<Bytes> {
        if !self.reads_at_once {
            return None;
        }
        let mut read = vec![0; length as usize];
        let into = &mut [IoSliceMut::new(&mut read)];
        let came = preadv2(file, into, at, ReadWriteFlags::NOWAIT).ok()?;
        (came as u64 == length).then(|| read.into())
    }

    fn write(&self, content: &mut Content<'_>) -> io::Result<Draft> {
        let number = self.drafts.fetch_add(1, Relaxed);
        let path = self.root.join(DRAFTS).join(number.to_string());
        let mut draft = Draft { path, bytes: 0 };
        draft.bytes = self.fill(&draft.path, content)?;
        Ok(draft)
    }

    fn publish(&self, draft: Draft, id: Id) -> io::Result<u64> {
        let path = self.path(id);
        match fs::rename(&draft.path, &path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::rename(&draft.path, &path)?;
            }
            renamed => renamed?,
        }
        Ok(draft.bytes)
    }

    fn remove(&self, id: Id) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self, part: u8) -> io::Result<Vec<(Id, u64)>> {
        let entries = match fs::read_dir(self.root.join(format!("{part:02x}"))) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let id = entry.file_name().to_str().and_then(|name| Id::from_str_radix(name, 16).ok());
            // Where it is not there any more it has just been removed.
            if let (Some(id), Ok(metadata)) = (id, entry.metadata()) {
                files.push((id, metadata.blocks() * STAT_BLOCK));
            }
        }
        Ok(files)
    }
}
