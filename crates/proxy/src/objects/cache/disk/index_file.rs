//! The index as a file, so that a process that begins serves from disk at once.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tidegate_core::cache::evict::Id;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::bytes::{Reading, Written};

const NAME: &str = "index.v1";
const MAGIC: u64 = u64::from_le_bytes(*b"tgindex1");
const SUM: usize = 8;

/// What an index has told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// When that was, by the clock of the cache.
    pub time: u64,
    /// What lay on disk, with the bytes that each takes.
    pub objects: Vec<(Id, u64)>,
}

/// Reads the index of a directory; `None` where there is none, or none that can be believed.
pub fn read(root: &Path) -> Option<Stored> {
    let file = fs::read(root.join(NAME)).ok()?;
    let (summed, sum) = file.split_at_checked(file.len().checked_sub(SUM)?)?;
    (Reading(sum).number()? == xxh3_64(summed)).then_some(())?;
    let mut reading = Reading(summed);
    (reading.number()? == MAGIC).then_some(())?;
    let time = reading.number()?;
    let mut objects = Vec::new();
    while !reading.0.is_empty() {
        objects.push((reading.hash()?, reading.number()?));
    }
    Some(Stored { time, objects })
}

/// Writes the index of a directory.
///
/// # Errors
/// Those of the file system.
pub fn write(root: &Path, stored: &Stored) -> io::Result<()> {
    let (path, draft) = (root.join(NAME), root.join("index.new"));
    let mut out = Summed { out: BufWriter::new(File::create(&draft)?), hasher: Xxh3::new() };
    let mut begin = Written::default();
    begin.numbers(&[MAGIC, stored.time]);
    out.write(&begin.0)?;
    for &(id, bytes) in &stored.objects {
        let mut object = Written(Vec::with_capacity(24));
        object.hash(id);
        object.number(bytes);
        out.write(&object.0)?;
    }
    let sum = out.hasher.digest();
    out.write(&sum.to_le_bytes())?;
    out.out.into_inner().map_err(io::IntoInnerError::into_error)?;
    fs::rename(draft, path)
}

struct Summed {
    out: BufWriter<File>,
    hasher: Xxh3,
}

impl Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::objects::cache::disk::testing::Folder;

    #[test]
    fn an_index_is_read_as_it_was_written_and_not_at_all_where_a_byte_changed() {
        let folder = Folder::new();
        let stored = Stored { time: 5, objects: vec![(1 << 100, 4096), (7, 1 << 40)] };
        write(folder.path(), &stored).unwrap();
        assert_eq!(read(folder.path()), Some(stored));
        let written = fs::read(folder.path().join(NAME)).unwrap();
        for at in 0..written.len() {
            let mut changed = written.clone();
            changed[at] ^= 4;
            fs::write(folder.path().join(NAME), changed).unwrap();
            assert_eq!(read(folder.path()), None, "byte {at}");
        }
        fs::remove_file(folder.path().join(NAME)).unwrap();
        assert_eq!(read(folder.path()), None);
    }
}
