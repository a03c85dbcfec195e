//! What the fuzzer looks for holds for the inputs that are kept in `fuzz/corpus`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use tidegate_proxy::fuzzing;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 14] = [
    ("access_log", fuzzing::access_log),
    ("cache_fields", fuzzing::cache_fields),
    ("cache_file", fuzzing::cache_file),
    ("chunked", fuzzing::chunked),
    ("credentials", fuzzing::credentials),
    ("forwarded", fuzzing::forwarded),
    ("frames", fuzzing::frames),
    ("grpc_web", fuzzing::grpc_web),
    ("htpasswd", fuzzing::htpasswd),
    ("path", fuzzing::path),
    ("qpack", fuzzing::qpack),
    ("request_head", fuzzing::request_head),
    ("response_head", fuzzing::response_head),
    ("token", fuzzing::token),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_input_of_the_corpus_keeps_its_properties() {
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        for input in files(&folder("corpus").join(name)) {
            let bytes = fs::read(&input).unwrap();
            if catch_unwind(|| target(&bytes)).is_err() {
                broken.push(input);
            }
        }
    }
    assert!(broken.is_empty(), "what each says is above: {broken:#?}");
}

#[test]
fn every_target_of_the_fuzzer_has_a_corpus_and_is_called_here() {
    let stems = |name: &str| -> BTreeSet<String> {
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        files(&folder(name)).into_iter().map(stem).collect()
    };
    let called: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stems("fuzz_targets"), called);
    assert_eq!(stems("corpus"), called);
}
