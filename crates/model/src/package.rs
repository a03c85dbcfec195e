//! A model's files, as one value.

use std::io::Read;

use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};

use super::refusal::Refusal;

/// Bytes that a model has at most, all files together.
const MOST: usize = 16 << 20;
/// Bytes of a manifest at most.
const MOST_MANIFEST: usize = 256 << 10;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const GOLDEN: &str = "golden.f32";
pub(super) const TREES: &str = "model.trees";
pub(super) const NETWORK: &str = "model.onnx";

/// The files of a model.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) manifest: Vec<u8>,
    pub(super) golden: Vec<u8>,
    /// The name of the model's own file.
    pub(super) name: &'static str,
    pub(super) model: Vec<u8>,
}

impl Package {
    /// Those of a `tar`: POSIX ustar, regular files in this order, and nothing else.
    pub(super) fn open(tar: &[u8]) -> Result<Self, Refusal> {
        if tar.len() > MOST {
            return Err(Refusal::TooLarge(tar.len(), MOST));
        }
        let mut archive = Archive::new(tar);
        let mut entries = archive.entries().map_err(unreadable)?;
        let mut next = |names: &[&'static str], most: usize| {
            let Some(entry) = entries.next() else {
                return Err(Refusal::Package(format!("`{}` is missing", names.join("` or `"))));
            };
            let mut entry = entry.map_err(unreadable)?;
            let path = entry.path_bytes();
            let Some(name) = names.iter().find(|name| name.as_bytes() == &*path) else {
                let (found, expected) = (String::from_utf8_lossy(&path), names.join("` or `"));
                return Err(Refusal::Package(format!("`{found}` is in the place of `{expected}`")));
            };
            if entry.header().entry_type() != EntryType::Regular {
                return Err(Refusal::Package(format!("`{name}` is not a regular file")));
            }
            let size = entry.size();
            if size > most as u64 {
                return Err(Refusal::Package(format!("`{name}` has more than {most} bytes")));
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(unreadable)?;
            if content.len() as u64 != size {
                return Err(Refusal::Package(format!("`{name}` is cut off")));
            }
            Ok((*name, content))
        };
        let (_, manifest) = next(&[MANIFEST], MOST_MANIFEST)?;
        let (_, golden) = next(&[GOLDEN], MOST)?;
        let (name, model) = next(&[TREES, NETWORK], MOST)?;
        match entries.next() {
            None => Ok(Self { manifest, golden, name, model }),
            Some(_) => Err(Refusal::Package("there is something behind the model's file".into())),
        }
    }
}

/// SHA-256 in hexadecimal digits.
pub(super) fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[allow(clippy::needless_pass_by_value)]
fn unreadable(error: std::io::Error) -> Refusal {
    Refusal::Package(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::tar;
    use super::*;

    fn why(tar: &[u8]) -> String {
        Package::open(tar).err().map(|refusal| refusal.to_string()).unwrap_or_default()
    }

    const FILES: [(&str, &[u8]); 3] = [(MANIFEST, b"{}"), (GOLDEN, b"1234"), (TREES, b"trees")];

    #[test]
    fn the_files_are_taken_as_they_are() {
        let package = Package::open(&tar(&FILES)).map_err(|refusal| refusal.to_string());
        let package = package.map(|found| (found.manifest, found.golden, found.name, found.model));
        assert_eq!(package, Ok((b"{}".into(), b"1234".into(), TREES, b"trees".into())));
    }

    #[test]
    fn anything_else_is_refused_with_what_it_is() {
        let [manifest, golden, trees] = FILES;
        for (files, wrong) in [
            (vec![], "`manifest.json` is missing"),
            (vec![manifest, golden], "`model.trees` or `model.onnx` is missing"),
            (vec![golden, manifest, trees], "`golden.f32` is in the place of `manifest.json`"),
            (vec![manifest, golden, ("../model.trees", b"")], "`../model.trees` is in the place"),
            (vec![manifest, golden, trees, trees], "something behind"),
        ] {
            assert!(why(&tar(&files)).contains(wrong), "{}", why(&tar(&files)));
        }
        assert!(why(&vec![0; MOST + 1]).contains("at most 16777216"));
        let manifest = vec![b' '; MOST_MANIFEST + 1];
        assert!(why(&tar(&[(MANIFEST, &manifest)])).contains("more than 262144 bytes"));
    }

    #[test]
    fn a_link_is_no_file() {
        let mut whole = tar(&FILES);
        whole[156] = b'2';
        // The header's sum, as it would be told.
        let sum: u32 = whole[..148]
            .iter()
            .chain(&[b' '; 8])
            .chain(&whole[156..512])
            .map(|b| u32::from(*b))
            .sum();
        whole[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(why(&whole).contains("not a regular file"), "{}", why(&whole));
    }

    proptest! {
        #[test]
        fn whatever_is_cut_off_or_flipped_is_read_or_refused(
            length in 0..3_000_usize, place in 0..3_000_usize, value: u8,
        ) {
            let mut whole = tar(&FILES);
            if let Some(byte) = whole.get_mut(place) {
                *byte = value;
            }
            whole.truncate(length);
            _ = Package::open(&whole);
        }
    }
}
