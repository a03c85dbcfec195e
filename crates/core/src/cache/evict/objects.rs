//! The objects that a policy keeps, in queues.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Id;

/// Where an object stands, as long as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u32);

/// The most queues that a policy has.
const QUEUES: usize = 3;

/// No object: the end of a queue.
const NONE: Slot = Slot(u32::MAX);

/// The largest size that is told from others, and so the largest room: the bits above it hold the queue and the uses.
const MAX_SIZE: u64 = u64::MAX >> 8;

/// What is known of an object: 16 bytes beside its id.
#[derive(Debug)]
struct Object {
    id: Id,
    /// From the lowest bit: four of the queue, four of the uses, the size.
    packed: u64,
    /// Its neighbours in its queue.
    older: Slot,
    newer: Slot,
}

const _: () = assert!(size_of::<Object>() == size_of::<Id>() + 16);

impl Object {
    fn new(id: Id, size: u64, queue: usize) -> Self {
        let packed = size.min(MAX_SIZE) << 8 | queue as u64;
        Self { id, packed, older: NONE, newer: NONE }
    }

    fn queue(&self) -> usize {
        (self.packed & 0xf) as usize
    }

    fn set_queue(&mut self, queue: usize) {
        self.packed = self.packed & !0xf | queue as u64;
    }

    fn uses(&self) -> u8 {
        (self.packed >> 4 & 0xf) as u8
    }

    fn set_uses(&mut self, uses: u8) {
        self.packed = self.packed & !0xf0 | u64::from(uses) << 4;
    }

    fn size(&self) -> u64 {
        self.packed >> 8
    }

    fn set_size(&mut self, size: u64) {
        self.packed = self.packed & 0xff | size.min(MAX_SIZE) << 8;
    }
}

/// Objects in the order in which they were put in.
#[derive(Debug, Clone, Copy)]
struct Queue {
    oldest: Slot,
    newest: Slot,
    bytes: u64,
}

/// Objects of a block.
const BLOCK: usize = 1024;
/// Tables of places.
const TABLES: usize = 64;

/// All objects of a policy, each in one of its queues, with a count of its uses (15 at most), and the room that they have.
///
/// They stand in blocks, where one that leaves makes room for the next, and are found by tables of their places in them.
/// So an object has no allocation of its own, and costs beyond its id 16 bytes and 6 to 12 of a table. There are several
/// tables, and blocks do not move, so that millions of objects are never gone through at once because one more comes.
#[derive(Debug)]
pub struct Objects {
    blocks: Vec<Vec<Object>>,
    tables: Box<[HashTable<Slot>]>,
    count: usize,
    hasher: RandomState,
    queues: [Queue; QUEUES],
    capacity: u64,
    /// The first of the places without an object, each of which has the next as its `newer`.
    vacant: Slot,
}

impl Objects {
    /// None yet, with room for so many bytes.
    pub fn new(capacity: u64) -> Self {
        Self {
            blocks: Vec::new(),
            tables: (0..TABLES).map(|_| HashTable::new()).collect(),
            count: 0,
            hasher: RandomState::default(),
            queues: [Queue { oldest: NONE, newest: NONE, bytes: 0 }; QUEUES],
            capacity: capacity.min(MAX_SIZE),
            vacant: NONE,
        }
    }

    /// The room in bytes.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Changes the room. Objects that have none any more are left.
    pub fn set_capacity(&mut self, capacity: u64) {
        self.capacity = capacity.min(MAX_SIZE);
    }

    /// Whether there is room for so many bytes beside all objects.
    pub fn has_room(&self, size: u64) -> bool {
        self.bytes() + size <= self.capacity
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The sum of their sizes.
    pub fn bytes(&self) -> u64 {
        self.queues.iter().map(|queue| queue.bytes).sum()
    }

    /// The sum of the sizes of those in a queue.
    pub fn bytes_in(&self, queue: usize) -> u64 {
        self.queues[queue].bytes
    }

    /// The one that is longest in a queue.
    pub fn oldest(&self, queue: usize) -> Option<Slot> {
        Some(self.queues[queue].oldest).filter(|&slot| slot != NONE)
    }

    /// The one that came to the same queue next.
    pub fn newer(&self, slot: Slot) -> Option<Slot> {
        Some(self.at(slot).newer).filter(|&slot| slot != NONE)
    }

    pub fn find(&self, id: Id) -> Option<Slot> {
        let hash = self.hasher.hash_one(id);
        self.tables[table(hash)].find(hash, |&slot| self.at(slot).id == id).copied()
    }

    pub fn id(&self, slot: Slot) -> Id {
        self.at(slot).id
    }

    pub fn queue(&self, slot: Slot) -> usize {
        self.at(slot).queue()
    }

    pub fn size(&self, slot: Slot) -> u64 {
        self.at(slot).size()
    }

    pub fn set_size(&mut self, slot: Slot, size: u64) {
        let object = self.at_mut(slot);
        let (queue, before) = (object.queue(), object.size());
        object.set_size(size);
        let now = object.size();
        let bytes = &mut self.queues[queue].bytes;
        *bytes = *bytes - before + now;
    }

    pub fn uses(&self, slot: Slot) -> u8 {
        self.at(slot).uses()
    }

    pub fn set_uses(&mut self, slot: Slot, uses: u8) {
        self.at_mut(slot).set_uses(uses);
    }

    /// Puts in an object, unused, as the newest of a queue. It must not be there yet.
    pub fn put(&mut self, id: Id, size: u64, queue: usize) -> Slot {
        let object = Object::new(id, size, queue);
        let slot = match self.vacant {
            NONE => self.append(object),
            slot => {
                self.vacant = self.at(slot).newer;
                *self.at_mut(slot) = object;
                slot
            }
        };
        let (hasher, blocks) = (&self.hasher, &self.blocks);
        let hash_of = |&slot: &Slot| hasher.hash_one(at(blocks, slot).id);
        let hash = hash_of(&slot);
        self.tables[table(hash)].insert_unique(hash, slot, hash_of);
        self.count += 1;
        self.link(slot);
        slot
    }

    /// Puts in an object where none has been.
    fn append(&mut self, object: Object) -> Slot {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let before = (self.blocks.len() - 1) * BLOCK;
        let block = &mut self.blocks[before / BLOCK];
        block.push(object);
        Slot((before + block.len() - 1) as u32)
    }

    /// Takes out an object.
    pub fn take(&mut self, slot: Slot) -> (Id, u64) {
        self.unlink(slot);
        let (id, size) = (self.id(slot), self.size(slot));
        let hash = self.hasher.hash_one(id);
        if let Ok(found) = self.tables[table(hash)].find_entry(hash, |&other| other == slot) {
            found.remove();
            self.count -= 1;
        }
        let vacant = std::mem::replace(&mut self.vacant, slot);
        self.at_mut(slot).newer = vacant;
        (id, size)
    }

    /// Makes an object the newest of a queue, of its own or of another one.
    pub fn renew(&mut self, slot: Slot, queue: usize) {
        self.unlink(slot);
        self.at_mut(slot).set_queue(queue);
        self.link(slot);
    }

    /// What they take, in bytes.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        let tables: usize = self.tables.iter().map(HashTable::allocation_size).sum();
        self.blocks.len() * BLOCK * size_of::<Object>() + tables
    }

    fn link(&mut self, slot: Slot) {
        let (number, size) = (self.queue(slot), self.size(slot));
        let queue = &mut self.queues[number];
        queue.bytes += size;
        let older = std::mem::replace(&mut queue.newest, slot);
        match older {
            NONE => queue.oldest = slot,
            older => self.at_mut(older).newer = slot,
        }
        let object = self.at_mut(slot);
        (object.older, object.newer) = (older, NONE);
    }

    fn unlink(&mut self, slot: Slot) {
        let &Object { older, newer, .. } = self.at(slot);
        let (number, size) = (self.queue(slot), self.size(slot));
        self.queues[number].bytes -= size;
        match older {
            NONE => self.queues[number].oldest = newer,
            older => self.at_mut(older).newer = newer,
        }
        match newer {
            NONE => self.queues[number].newest = older,
            newer => self.at_mut(newer).older = older,
        }
    }

    fn at(&self, slot: Slot) -> &Object {
        at(&self.blocks, slot)
    }

    fn at_mut(&mut self, slot: Slot) -> &mut Object {
        &mut self.blocks[slot.0 as usize / BLOCK][slot.0 as usize % BLOCK]
    }
}

fn at(blocks: &[Vec<Object>], slot: Slot) -> &Object {
    &blocks[slot.0 as usize / BLOCK][slot.0 as usize % BLOCK]
}

/// Which table has what has this hash. A table looks at the lowest and at the highest bits.
fn table(hash: u64) -> usize {
    (hash >> 32) as usize % TABLES
}
