//! Which objects are asked for.

use tidegate_core::balance::SplitMix64;
use tidegate_core::cache::evict::Id;
use xxhash_rust::xxh3::xxh3_128;

use super::scenario::{Scans, Stream, Synthetic};
use crate::draw::{Choice, Draw, Purpose, stream, uniform};

/// A request for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The object.
    pub id: Id,
    /// Its size in bytes, the same each time.
    pub size: u64,
}

impl Request {
    fn new(number: u64, size: u64) -> Self {
        Self { id: xxh3_128(&number.to_le_bytes()), size }
    }
}

impl Stream {
    /// The requests in order, the same each time for one seed.
    pub fn requests(&self, seed: u64) -> Vec<Request> {
        match self {
            Self::Recorded(recorded) => {
                recorded.iter().map(|&(number, size)| Request::new(number, size)).collect()
            }
            Self::Synthetic(synthetic) => {
                let mut numbers = Numbers::new(synthetic, seed);
                let sizes = Draw::new(&synthetic.size);
                let size = |number: u64| {
                    let mut own = stream(seed, Purpose::Sizes, number as usize);
                    sizes.next(&mut own).max(1)
                };
                let next = |_| numbers.next();
                let asked = (0..synthetic.requests).map(next);
                asked.map(|number| Request::new(number, size(number))).collect()
            }
        }
    }
}

/// Numbers of objects: those of the catalogue from 0 on, beyond them those that are asked for once.
#[derive(Debug)]
struct Numbers {
    random: SplitMix64,
    popular: Choice,
    objects: u64,
    once: f64,
    once_before: u64,
    scans: Scans,
    scanned: u32,
    scans_next: u64,
}

impl Numbers {
    fn new(synthetic: &Synthetic, seed: u64) -> Self {
        Self {
            random: stream(seed, Purpose::Objects, 0),
            popular: Choice::zipf(synthetic.objects, synthetic.skew),
            objects: u64::from(synthetic.objects),
            once: synthetic.once,
            once_before: 0,
            scans: synthetic.scans,
            scanned: 0,
            scans_next: 0,
        }
    }

    fn next(&mut self) -> u64 {
        let kind = uniform(&mut self.random);
        if kind < self.once {
            self.once_before += 1;
            self.objects + self.once_before - 1
        } else if kind < self.once + self.scans.share {
            self.scan()
        } else {
            self.popular.next(&mut self.random) as u64
        }
    }

    fn scan(&mut self) -> u64 {
        if self.scanned.is_multiple_of(self.scans.length) {
            self.scans_next = self.random.below(self.objects);
        }
        self.scanned = self.scanned.wrapping_add(1);
        let number = self.scans_next;
        self.scans_next = (number + 1) % self.objects;
        number
    }
}
