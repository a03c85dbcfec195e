//! Policies that need one queue: FIFO, LRU and SIEVE.

use super::objects::{Objects, Slot};
use super::rule::Rule;
use super::{Evicted, Id};

/// What tells such policies apart.
pub trait Order: std::fmt::Debug + Default {
    /// An object was used.
    fn used(&self, objects: &mut Objects, slot: Slot);

    /// The object that leaves next.
    fn next(&mut self, objects: &mut Objects) -> Option<Slot>;

    /// An object is taken out.
    fn forget(&mut self, _: &Objects, _: Slot) {}
}

/// Objects in one queue, of which the order says which one leaves.
#[derive(Debug)]
pub struct OneQueue<O> {
    objects: Objects,
    order: O,
}

impl<O: Order> OneQueue<O> {
    /// A room of so many bytes.
    pub fn new(capacity: u64) -> Self {
        Self { objects: Objects::new(capacity), order: O::default() }
    }

    /// Lets objects leave until there is room for so many bytes.
    fn make_room(&mut self, size: u64) -> Evicted {
        let mut evicted = Evicted::new();
        while !self.objects.has_room(size)
            && let Some(slot) = self.order.next(&mut self.objects)
        {
            self.forget(slot);
            evicted.push(self.objects.take(slot).0);
        }
        evicted
    }
}

impl<O: Order> Rule for OneQueue<O> {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn objects_mut(&mut self) -> &mut Objects {
        &mut self.objects
    }

    fn admit(&mut self, id: Id, size: u64) -> Evicted {
        let evicted = self.make_room(size);
        self.objects.put(id, size, 0);
        evicted
    }

    fn use_once_more(&mut self, slot: Slot) {
        self.order.used(&mut self.objects, slot);
    }

    fn settle(&mut self) -> Evicted {
        self.make_room(0)
    }

    fn forget(&mut self, slot: Slot) {
        self.order.forget(&self.objects, slot);
    }
}
