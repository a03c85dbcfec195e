//! What holds of every policy, and what is said of each.
#![allow(clippy::unwrap_used)]

mod all;
mod one_queue;
mod s3_fifo;
mod tiny_lfu;

use xxhash_rust::xxh3::xxh3_128;

use super::{Id, Policy};

/// The id of the object of this number.
fn id(number: u64) -> Id {
    xxh3_128(&number.to_le_bytes())
}

/// Asks for an object of this number, which is put in if it is not there. Whether it was.
fn ask(policy: &mut dyn Policy, number: u64, size: u64) -> bool {
    let hit = policy.touch(id(number));
    if !hit {
        policy.insert(id(number), size);
    }
    hit
}

/// Which objects of these numbers are kept; that they are asked for changes nothing that the test goes on with.
fn kept(policy: &mut dyn Policy, numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.filter(|&number| policy.touch(id(number))).collect()
}
