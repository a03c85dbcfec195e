//! S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, *FIFO Queues are All You Need for Cache Eviction*, SOSP 2023).

use super::ghosts::Ghosts;
use super::objects::{MAX_SIZE, Objects, Slot};
use super::{Evicted, Id, Policy};

/// The queue of objects that are new.
const SMALL: usize = 0;
/// The queue of those that have been used while they were new, or came back soon.
const MAIN: usize = 1;

/// Uses that are counted.
const MOST_USES: u8 = 3;

/// Three queues, first in, first out: a small one, a main one, and ghosts.
///
/// Objects begin in the small queue, which has a tenth of the room. At its end those that were used more than once since
/// they came go on to the main queue; the others leave, and are remembered as ghosts, as many as there are objects. One
/// that comes back as a ghost begins in the main queue. There, an object at the end that was used goes round again, once
/// for each use (of three). So most objects that are asked for once leave early, and a use writes two bits and moves
/// nothing.
///
/// Of the paper, for sizes that differ: an object larger than the small queue, for which others would have to leave, is
/// a ghost at once.
#[derive(Debug)]
pub struct S3Fifo {
    objects: Objects<2>,
    ghosts: Ghosts,
    capacity: u64,
}

impl S3Fifo {
    /// A room of so many bytes.
    pub fn new(capacity: u64) -> Self {
        Self { objects: Objects::new(), ghosts: Ghosts::new(), capacity: capacity.min(MAX_SIZE) }
    }

    fn small(&self) -> u64 {
        self.capacity / 10
    }

    /// Lets objects leave until there is room for so many bytes.
    fn make_room(&mut self, size: u64) -> Evicted {
        let is_full = |policy: &Self| policy.used() + size > policy.capacity;
        std::iter::from_fn(|| if is_full(self) { self.evict() } else { None }).collect()
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.objects.memory() + self.ghosts.memory()
    }

    fn use_once_more(&mut self, slot: Slot) {
        let uses = self.objects.uses(slot);
        self.objects.set_uses(slot, MOST_USES.min(uses + 1));
    }

    /// Lets one object leave.
    fn evict(&mut self) -> Option<Id> {
        loop {
            let (small, main) = (self.objects.oldest(SMALL), self.objects.oldest(MAIN));
            let is_small_full = self.objects.bytes_in(SMALL) >= self.small();
            let slot = if is_small_full { small.or(main)? } else { main.or(small)? };
            let (queue, uses) = (self.objects.queue(slot), self.objects.uses(slot));
            match queue {
                SMALL if uses > 1 => {
                    self.objects.set_uses(slot, 0);
                    self.objects.renew(slot, MAIN);
                }
                MAIN if uses > 0 => {
                    self.objects.set_uses(slot, uses - 1);
                    self.objects.renew(slot, MAIN);
                }
                _ => {
                    let known = self.objects.len();
                    let (id, _) = self.objects.take(slot);
                    if queue == SMALL {
                        self.ghosts.add(id, known);
                    }
                    return Some(id);
                }
            }
        }
    }
}

impl Policy for S3Fifo {
    fn insert(&mut self, id: Id, size: u64) -> Evicted {
        if size > self.capacity {
            self.remove(id);
            return Evicted::from_iter([id]);
        }
        if let Some(slot) = self.objects.find(id) {
            self.use_once_more(slot);
            self.objects.set_size(slot, size);
            return self.make_room(0);
        }
        let known = self.objects.len();
        let queue = if self.ghosts.take(id, known) { MAIN } else { SMALL };
        if queue == SMALL && size > self.small() && self.used() + size > self.capacity {
            self.ghosts.add(id, known);
            return Evicted::from_iter([id]);
        }
        let evicted = self.make_room(size);
        self.objects.put(id, size, queue);
        evicted
    }

    fn touch(&mut self, id: Id) -> bool {
        let slot = self.objects.find(id);
        slot.inspect(|&slot| self.use_once_more(slot)).is_some()
    }

    fn remove(&mut self, id: Id) -> Option<u64> {
        let slot = self.objects.find(id)?;
        Some(self.objects.take(slot).1)
    }

    fn set_capacity(&mut self, capacity: u64) -> Evicted {
        self.capacity = capacity.min(MAX_SIZE);
        self.make_room(0)
    }

    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn used(&self) -> u64 {
        self.objects.bytes()
    }

    fn len(&self) -> usize {
        self.objects.len()
    }
}
