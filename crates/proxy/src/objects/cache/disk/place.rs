//! Up to where the purges of other gateways were applied to what lies on disk, as a file beside the purges.
//!
//! It is written after them: where it is older than they are, some are applied once more.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::bytes::{Reading, Written};
use crate::objects::store::stream::Id;

const NAME: &str = "place.v1";
const MAGIC: u64 = u64::from_le_bytes(*b"tgplace1");

/// Reads the place of a directory; `None` where there is none, or none that can be believed.
pub fn read(root: &Path) -> Option<Id> {
    let file = fs::read(root.join(NAME)).ok()?;
    let mut reading = Reading(&file);
    let (magic, millis, number) = (reading.number()?, reading.number()?, reading.number()?);
    let sum = reading.number()?;
    let is_whole = reading.0.is_empty() && sum == xxh3_64(&file[..24]);
    (is_whole && magic == MAGIC).then_some(Id(millis, number))
}

/// Writes the place of a directory, synced.
///
/// # Errors
/// Those of the file system.
pub fn write(root: &Path, Id(millis, number): Id) -> io::Result<()> {
    let (path, draft) = (root.join(NAME), root.join("place.new"));
    let mut out = Written::default();
    out.numbers(&[MAGIC, millis, number]);
    out.number(xxh3_64(&out.0));
    let mut file = File::create(&draft)?;
    file.write_all(&out.0)?;
    file.sync_data()?;
    fs::rename(draft, path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::objects::cache::disk::testing::Folder;

    #[test]
    fn a_place_is_read_as_it_was_written_last_and_not_at_all_where_a_byte_changed() {
        let folder = Folder::new();
        assert_eq!(read(folder.path()), None);
        for place in [Id(1, 2), Id(u64::MAX, 0)] {
            write(folder.path(), place).unwrap();
            assert_eq!(read(folder.path()), Some(place));
        }
        let whole = fs::read(folder.path().join(NAME)).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(folder.path().join(NAME), &changed).unwrap();
            assert_eq!(read(folder.path()), None, "byte {at}");
        }
        fs::write(folder.path().join(NAME), &whole[..whole.len() - 1]).unwrap();
        assert_eq!(read(folder.path()), None);
    }
}
