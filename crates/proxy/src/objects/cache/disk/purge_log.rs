//! The purges of a cache, as a file that they are added to before they are answered.
//!
//! Objects on disk are as old as the last purge that they were compared with, so they are worth nothing without the purges
//! that came since: where this file is missing or changed, nothing on disk is believed.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::bytes::{Reading, Written};
use crate::objects::cache::purge::{Force, Purge, Target, Told};

const NAME: &str = "purges.v1";
/// A purge's number, kind and force, and what its target is called.
const URL: u64 = 0;
const KEY: u64 = 1;
const TAG: u64 = 2;
const PREFIX: u64 = 3;
const HOST: u64 = 4;
const ALL: u64 = 5;
/// No purge: the number that the last one had when the file was begun.
const BEGIN: u64 = 6;

/// The file.
#[derive(Debug)]
pub struct PurgeLog {
    path: PathBuf,
    file: File,
}

/// Reads the purges of a directory; `None` where nothing can be believed of them.
pub fn read(root: &Path) -> Option<Told> {
    told(&fs::read(root.join(NAME)).ok()?)
}

/// The purges that a file of these bytes tells; `None` where nothing can be believed of them.
pub fn told(file: &[u8]) -> Option<Told> {
    let mut reading = Reading(file);
    let mut told = Told { last: begin(record(&mut reading)??)?, purges: Vec::new() };
    while let Some(record) = record(&mut reading) {
        let purge = purge(record?)?;
        told.last = told.last.max(purge.number);
        told.purges.push(purge);
    }
    Some(told)
}

/// The next record; within, `None` where it was changed. One that was not written to its end was not answered either: so
/// that this is not mistaken for a length that was changed, that one is there twice.
fn record<'a>(reading: &mut Reading<'a>) -> Option<Option<&'a [u8]>> {
    let (length, inverse) = (reading.number()?, reading.number()?);
    if length != !inverse {
        return Some(None);
    }
    let record = reading.take(usize::try_from(length).ok()?)?;
    let sum = reading.number()?;
    Some((sum == xxh3_64(record)).then_some(record))
}

fn begin(record: &[u8]) -> Option<u64> {
    let mut reading = Reading(record);
    let (number, kind) = (reading.number()?, reading.number()?);
    (kind == BEGIN).then_some(number)
}

fn purge(record: &[u8]) -> Option<Purge> {
    let mut reading = Reading(record);
    let (number, kind, soft) = (reading.number()?, reading.number()?, reading.number()?);
    let force = if soft == 1 { Force::Soft } else { Force::Hard };
    let text = |reading: Reading<'_>| Some(str::from_utf8(reading.0).ok()?.into());
    let target = match kind {
        URL => Target::Url(reading.hash()?),
        KEY => Target::Key(reading.hash()?),
        TAG => Target::Tag(reading.number()?),
        PREFIX => Target::Prefix(text(reading)?),
        HOST => Target::Host(text(reading)?),
        ALL => Target::All,
        _ => return None,
    };
    Some(Purge { number, target, force })
}

fn written(purge: &Purge) -> Vec<u8> {
    let mut out = Written::default();
    let kind = match &purge.target {
        Target::Url(_) => URL,
        Target::Key(_) => KEY,
        Target::Tag(_) => TAG,
        Target::Prefix(_) => PREFIX,
        Target::Host(_) => HOST,
        Target::All => ALL,
    };
    out.numbers(&[purge.number, kind, u64::from(purge.force == Force::Soft)]);
    match &purge.target {
        Target::Url(hash) | Target::Key(hash) => out.hash(*hash),
        Target::Tag(hash) => out.number(*hash),
        Target::Prefix(text) | Target::Host(text) => out.0.extend_from_slice(text.as_bytes()),
        Target::All => {}
    }
    out.0
}

fn add(record: &[u8], out: &mut Written) {
    let length = record.len() as u64;
    out.numbers(&[length, !length]);
    out.0.extend_from_slice(record);
    out.number(xxh3_64(record));
}

impl PurgeLog {
    /// The file of a directory, begun anew with these purges, which are synced.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn begin(root: &Path, told: &Told) -> io::Result<Self> {
        let (path, draft) = (root.join(NAME), root.join("purges.new"));
        let mut out = Written::default();
        let mut first = Written::default();
        first.numbers(&[told.last, BEGIN]);
        add(&first.0, &mut out);
        told.purges.iter().for_each(|purge| add(&written(purge), &mut out));
        let mut file = File::create(&draft)?;
        file.write_all(&out.0)?;
        file.sync_data()?;
        fs::rename(draft, &path)?;
        File::open(root)?.sync_all()?;
        Ok(Self { path, file })
    }

    /// Add purges, synced where that is asked for.
    ///
    /// # Errors
    /// Those of the file system. Nothing on disk is believed after a restart then.
    pub fn add(&mut self, purges: &[Purge], is_synced: bool) -> io::Result<()> {
        let mut out = Written::default();
        purges.iter().for_each(|purge| add(&written(purge), &mut out));
        let added = self.file.write_all(&out.0).and_then(|()| match is_synced {
            true => self.file.sync_data(),
            false => Ok(()),
        });
        added.inspect_err(|_| self.distrust())
    }

    /// Have nothing on disk believed after a restart.
    fn distrust(&self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::error!(path = %self.path.display(), %error, "a purge cannot be written, nor this be removed: remove it before a restart");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::objects::cache::disk::testing::Folder;

    fn purges() -> impl Strategy<Value = Vec<Purge>> {
        let target = prop_oneof![
            any::<u128>().prop_map(Target::Url),
            any::<u128>().prop_map(Target::Key),
            any::<u64>().prop_map(Target::Tag),
            "\\PC{0,30}".prop_map(|text| Target::Prefix(text.into())),
            "\\PC{0,30}".prop_map(|text| Target::Host(text.into())),
            Just(Target::All),
        ];
        let force = any::<bool>().prop_map(|soft| if soft { Force::Soft } else { Force::Hard });
        let purge = (any::<u64>(), target, force).prop_map(|(number, target, force)| Purge {
            number,
            target,
            force,
        });
        prop::collection::vec(purge, 0..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_written_and_added_is_read(first in purges(), then in purges(), last in any::<u64>()) {
            let folder = Folder::new();
            let mut log = PurgeLog::begin(folder.path(), &Told { last, purges: first.clone() }).unwrap();
            log.add(&then, true).unwrap();
            let purges = [first, then].concat();
            let last = purges.iter().map(|purge| purge.number).chain([last]).max().unwrap();
            prop_assert_eq!(read(folder.path()), Some(Told { last, purges }));
        }
    }

    #[test]
    fn what_was_cut_was_not_answered_and_what_was_changed_is_not_believed() {
        let folder = Folder::new();
        let purge = |number| Purge { number, target: Target::Tag(number), force: Force::Hard };
        let mut log = PurgeLog::begin(folder.path(), &Told::default()).unwrap();
        let begun = fs::read(folder.path().join(NAME)).unwrap().len();
        (1..4).for_each(|number| log.add(&[purge(number)], true).unwrap());
        let whole = fs::read(folder.path().join(NAME)).unwrap();
        fs::write(folder.path().join(NAME), &whole[..whole.len() - 3]).unwrap();
        assert_eq!(read(folder.path()).unwrap().last, 2);
        for at in begun..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(folder.path().join(NAME), &changed).unwrap();
            assert_eq!(read(folder.path()), None, "byte {at}");
        }
        assert_eq!(read(Path::new("/nowhere")), None);
    }
}
