//! What lies on disk, and what leaves it when there is no room: the index in memory.
//!
//! The upper half of an id is that of the key, so that all variants of a key stand side by side. An object takes about 80
//! bytes: 30 in the tree, 40 in the policy and up to 16 of a ghost.

use std::collections::{BTreeMap, HashMap, HashSet};

use smallvec::SmallVec;
use tidegate_core::cache::evict::{Evicted, Id, Policy, S3Fifo};
use tidegate_core::cache::vary::Vary;
use xxhash_rust::xxh3::Xxh3;

/// Room is counted in units of so many bytes: file systems have no smaller blocks.
const UNIT: u64 = 512;

/// The id of what has this key and was selected by `vary`.
pub fn id(hash: u128, text: &[u8], vary: &Vary) -> Id {
    let mut variant = Xxh3::new();
    variant.update(text);
    variant.update(&vary.to_bytes());
    of_key(hash) | Id::from(variant.digest())
}

/// The lowest id of what has the key of this hash.
fn of_key(hash: u128) -> Id {
    hash >> 64 << 64
}

/// The units that so many bytes take.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// Allows one write to be published, unless it is overtaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// What lies on disk.
#[derive(Debug)]
pub struct Index {
    /// The units that each takes.
    objects: BTreeMap<Id, u32>,
    policy: S3Fifo,
    /// What is being written.
    writing: HashMap<Id, Ticket>,
    tickets: u64,
    /// What does not hold any more and whose files are still to be removed.
    left_behind: HashSet<Id>,
}

impl Index {
    /// An empty one with room for so many bytes.
    pub fn new(bytes: u64) -> Self {
        let (objects, policy) = (BTreeMap::new(), S3Fifo::new(bytes));
        let (writing, left_behind) = (HashMap::new(), HashSet::new());
        Self { objects, policy, writing, tickets: 0, left_behind }
    }

    /// One with room for so many bytes, and as many of these objects, with the bytes that each takes, as have room.
    pub fn holding(bytes: u64, objects: &[(Id, u64)]) -> Self {
        let mut index = Self::new(bytes);
        // At once, for there may be millions and they come in order.
        index.objects = objects.iter().map(|&(id, bytes)| (id, units(bytes))).collect();
        let policy = &mut index.policy;
        let sizes = index.objects.iter().map(|(&id, &units)| (id, u64::from(units) * UNIT));
        let evicted = sizes.flat_map(|(id, bytes)| policy.insert(id, bytes)).collect();
        index.leave(evicted);
        index
    }

    /// All variants of a key.
    pub fn variants(&self, hash: u128) -> SmallVec<[Id; 1]> {
        let first = of_key(hash);
        self.objects.range(first..=first | Id::from(u64::MAX)).map(|(&id, _)| id).collect()
    }

    /// Whether this lies on disk.
    pub fn has(&self, id: Id) -> bool {
        self.objects.contains_key(&id)
    }

    /// The same, or is being written.
    pub fn has_or_gets(&self, id: Id) -> bool {
        self.has(id) || self.writing.contains_key(&id)
    }

    /// Whether anything is being written.
    pub fn is_written(&self) -> bool {
        !self.writing.is_empty()
    }

    /// It is used.
    pub fn touch(&mut self, id: Id) {
        self.policy.touch(id);
    }

    /// It is going to be written, and what is being written of it is not.
    pub fn begin(&mut self, id: Id) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.writing.insert(id, ticket);
        ticket
    }

    /// The same, where it lies on disk and is not being written.
    pub fn begin_again(&mut self, id: Id) -> Option<Ticket> {
        (self.has(id) && !self.writing.contains_key(&id)).then(|| self.begin(id))
    }

    /// Whether a write may still be published.
    pub fn is_current(&self, id: Id, ticket: Ticket) -> bool {
        self.writing.get(&id) == Some(&ticket)
    }

    /// A write is over. Whether nothing has overtaken it.
    pub fn end(&mut self, id: Id, ticket: Ticket) -> bool {
        let is_current = self.is_current(id, ticket);
        if is_current {
            self.writing.remove(&id);
        }
        is_current
    }

    /// It lies on disk and takes so many bytes. Returns what leaves for it, perhaps itself.
    pub fn add(&mut self, id: Id, bytes: u64) -> Evicted {
        let units = units(bytes);
        self.objects.insert(id, units);
        self.left_behind.remove(&id);
        let evicted = self.policy.insert(id, u64::from(units) * UNIT);
        self.leave(evicted)
    }

    /// It holds no more, nor does what is being written of it. Whether it lay on disk.
    pub fn remove(&mut self, id: Id) -> bool {
        self.writing.remove(&id);
        self.policy.remove(id);
        self.objects.remove(&id).is_some()
    }

    /// Nothing of a key holds any more. Returns what lay on disk of it.
    pub fn remove_key(&mut self, hash: u128) -> SmallVec<[Id; 1]> {
        self.writing.retain(|&id, _| of_key(id) != of_key(hash));
        let removed = self.variants(hash);
        removed.iter().for_each(|&id| _ = self.remove(id));
        removed
    }

    /// The files of these are to be removed.
    pub fn leave_behind(&mut self, ids: &[Id]) {
        self.left_behind.extend(ids);
    }

    /// Whether the file of this is still to be removed; it is, from now on.
    pub fn take_left_behind(&mut self, id: Id) -> bool {
        self.left_behind.remove(&id)
    }

    /// Whether a file with this id is none that was left by another process.
    pub fn knows(&self, id: Id) -> bool {
        self.has(id) || self.left_behind.contains(&id)
    }

    /// Changes the room. Returns what leaves.
    pub fn resize(&mut self, bytes: u64) -> Evicted {
        if bytes == self.policy.capacity() {
            return Evicted::new();
        }
        let evicted = self.policy.set_capacity(bytes);
        self.leave(evicted)
    }

    fn leave(&mut self, evicted: Evicted) -> Evicted {
        evicted.iter().for_each(|id| _ = self.objects.remove(id));
        evicted
    }

    /// Bytes that all of it takes.
    pub fn bytes(&self) -> u64 {
        self.policy.used()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether nothing is being written, and no file is still to be removed.
    #[cfg(test)]
    pub fn is_settled(&self) -> bool {
        self.writing.is_empty() && self.left_behind.is_empty()
    }

    /// All of it, with the bytes that each takes.
    pub fn objects(&self) -> impl Iterator<Item = (Id, u64)> {
        self.objects.iter().map(|(&id, &units)| (id, u64::from(units) * UNIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: u128 = 7 << 64;

    fn index() -> Index {
        let mut index = Index::new(1 << 20);
        for id in [KEY | 1, KEY | 9, 8 << 64, 3] {
            index.add(id, 4096);
        }
        index
    }

    #[test]
    fn variants_of_a_key_are_found_and_removed_together() {
        let mut index = index();
        assert_eq!(index.variants(KEY | 55).as_slice(), [KEY | 1, KEY | 9]);
        assert_eq!(index.remove_key(KEY).as_slice(), [KEY | 1, KEY | 9]);
        assert_eq!((index.variants(KEY).len(), index.len(), index.bytes()), (0, 2, 8192));
    }

    #[test]
    fn what_is_overtaken_or_removed_is_not_published() {
        let mut index = index();
        let (first, second) = (index.begin(3), index.begin(3));
        assert!(!index.end(3, first) && index.end(3, second));
        let third = index.begin(3);
        assert!(index.remove(3) && !index.end(3, third));
        let fourth = index.begin(KEY | 1);
        index.remove_key(KEY);
        assert!(!index.is_current(KEY | 1, fourth));
    }

    #[test]
    fn an_index_holds_what_was_written_of_one_as_far_as_there_is_room() {
        let objects: Vec<_> = index().objects().collect();
        let again = Index::holding(1 << 20, &objects);
        assert_eq!(again.objects().collect::<Vec<_>>(), objects);
        assert_eq!((again.bytes(), again.has(3)), (4 * 4096, true));
        let small = Index::holding(2 * 4096, &objects);
        assert_eq!((small.bytes(), small.len(), small.objects().count()), (2 * 4096, 2, 2));
    }

    #[test]
    fn what_leaves_for_want_of_room_is_told_once() {
        let mut index = Index::new(1 << 20);
        let evicted: Vec<_> =
            (0..1000u128).flat_map(|number| index.add(number << 64, 4096)).collect();
        assert_eq!(evicted.len() + index.len(), 1000);
        assert!(index.bytes() <= 1 << 20);
        let left = index.resize(8192);
        assert_eq!((evicted.len() + left.len() + index.len(), index.len()), (1000, 2));
        assert_eq!(index.add(5 << 70, 1 << 30).as_slice(), [5 << 70]);
        assert!(!index.has(5 << 70));
    }
}
