//! Objects that have left of late, by a few bits of their ids.

use super::Id;

/// Places of one bucket: it fits a cache line.
const PLACES: usize = 8;

/// An object that has left.
#[derive(Debug, Clone, Copy, Default)]
struct Ghost {
    /// The lowest bits of its id, which also say its bucket; the highest bit is set, so that 0 is no ghost.
    bits: u32,
    /// How many had left before it.
    number: u32,
}

/// The last objects that have left, up to a number that each call says, in 8 to 16 bytes each.
///
/// As the authors of S3-FIFO do it (§4.2): by fingerprints in a table of buckets, in which a new ghost takes the place of
/// the oldest one. So a few are forgotten early, and with a million ghosts one object in a thousand is taken for one wrongly.
#[derive(Debug)]
pub(super) struct Ghosts {
    /// As many as a power of two.
    buckets: Vec<[Ghost; PLACES]>,
    /// How many have left in all.
    left: u32,
}

impl Ghosts {
    pub(super) fn new() -> Self {
        Self { buckets: vec![Default::default()], left: 0 }
    }

    /// An object has left; of so many it shall be known.
    pub(super) fn add(&mut self, id: Id, known: usize) {
        // A bucket that is three quarters full in the mean seldom overflows.
        while known > self.buckets.len() * PLACES / 4 * 3 {
            self.grow();
        }
        let ghost = Ghost { bits: bits(id), number: self.left };
        self.left = self.left.wrapping_add(1);
        self.put(ghost);
    }

    /// What they take, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.buckets.capacity() * size_of::<[Ghost; PLACES]>()
    }

    /// Whether an object is one of the last so many that have left; it is none from now on.
    pub(super) fn take(&mut self, id: Id, known: usize) -> bool {
        let bits = bits(id);
        let (left, bucket) = (self.left, self.bucket(bits));
        let Some(ghost) = bucket.iter_mut().find(|ghost| ghost.bits == bits) else { return false };
        let ghost = std::mem::take(ghost);
        (left.wrapping_sub(ghost.number) as usize) <= known
    }

    fn put(&mut self, ghost: Ghost) {
        let left = self.left;
        let since = |place: &Ghost| match place.bits {
            0 => u32::MAX,
            bits if bits == ghost.bits => u32::MAX,
            _ => left.wrapping_sub(place.number),
        };
        if let Some(place) = self.bucket(ghost.bits).iter_mut().max_by_key(|place| since(place)) {
            *place = ghost;
        }
    }

    fn bucket(&mut self, bits: u32) -> &mut [Ghost; PLACES] {
        let mask = self.buckets.len() - 1;
        &mut self.buckets[bits as usize & mask]
    }

    fn grow(&mut self) {
        let twice = vec![Default::default(); self.buckets.len() * 2];
        for ghost in std::mem::replace(&mut self.buckets, twice).into_iter().flatten() {
            if ghost.bits != 0 {
                self.put(ghost);
            }
        }
    }
}

fn bits(id: Id) -> u32 {
    id as u32 | 1 << 31
}
