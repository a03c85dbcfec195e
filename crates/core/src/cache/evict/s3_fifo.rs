//! S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, *FIFO Queues are All You Need for Cache Eviction*, SOSP 2023).

use super::ghosts::Ghosts;
use super::objects::{Objects, Slot};
use super::rule::Rule;
use super::{Evicted, Id};

/// The queue of objects that are new.
const SMALL: usize = 0;
/// The queue of those that have been used while they were new, or came back soon.
const MAIN: usize = 1;

/// Uses that are counted.
const MOST_USES: u8 = 3;

/// Objects that may go on for one to leave. When all were used, and they are millions, the work is not done at once.
const MOST_STEPS: usize = 1_000;

/// Three queues, first in, first out: a small one, a main one, and ghosts.
///
/// Objects begin in the small queue, which has a tenth of the room. At its end those that were used more than once since
/// they came go on to the main queue; the others leave, and are remembered as ghosts, as many as there are objects. One
/// that comes back as a ghost begins in the main queue. There, an object at the end that was used goes round again, once
/// for each use (of three). So most objects that are asked for once leave early, and a use writes two bits and moves
/// nothing.
///
/// Beyond the paper: an object larger than the small queue, for which others would have to leave, is a ghost at once; and
/// for one object to leave at most a thousand go on, then the next one leaves although it was used.
#[derive(Debug)]
pub struct S3Fifo {
    objects: Objects,
    ghosts: Ghosts,
}

impl S3Fifo {
    /// A room of so many bytes.
    pub fn new(capacity: u64) -> Self {
        Self { objects: Objects::new(capacity), ghosts: Ghosts::new() }
    }

    /// The small queue's part of the room.
    fn small(&self) -> u64 {
        self.objects.capacity() / 10
    }

    /// Lets objects leave until there is room for so many bytes.
    fn make_room(&mut self, size: u64) -> Evicted {
        let next = || if self.objects.has_room(size) { None } else { self.evict() };
        std::iter::from_fn(next).collect()
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.objects.memory() + self.ghosts.memory()
    }

    /// Lets one object leave.
    fn evict(&mut self) -> Option<Id> {
        let mut steps = 0;
        loop {
            let (small, main) = (self.objects.oldest(SMALL), self.objects.oldest(MAIN));
            let is_small_full = self.objects.bytes_in(SMALL) >= self.small();
            let slot = if is_small_full { small.or(main)? } else { main.or(small)? };
            let queue = self.objects.queue(slot);
            let uses = if steps < MOST_STEPS { self.objects.uses(slot) } else { 0 };
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
            steps += 1;
        }
    }
}

impl Rule for S3Fifo {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn objects_mut(&mut self) -> &mut Objects {
        &mut self.objects
    }

    fn admit(&mut self, id: Id, size: u64) -> Evicted {
        let known = self.objects.len();
        let queue = if self.ghosts.take(id, known) { MAIN } else { SMALL };
        if queue == SMALL && size > self.small() && !self.objects.has_room(size) {
            self.ghosts.add(id, known);
            return Evicted::from_iter([id]);
        }
        let evicted = self.make_room(size);
        self.objects.put(id, size, queue);
        evicted
    }

    fn use_once_more(&mut self, slot: Slot) {
        let uses = self.objects.uses(slot);
        self.objects.set_uses(slot, MOST_USES.min(uses + 1));
    }

    fn settle(&mut self) -> Evicted {
        self.make_room(0)
    }
}
