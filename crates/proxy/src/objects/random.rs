//! Random bytes, for secrets of the process.

use std::hash::{BuildHasher, RandomState};

/// Bytes that none can foresee: keyed hashes of the standard library, whose keys are of the system's randomness. A
/// multiple of eight.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for eight in bytes.chunks_exact_mut(8) {
        eight.copy_from_slice(&RandomState::new().hash_one(0_u8).to_ne_bytes());
    }
    bytes
}
