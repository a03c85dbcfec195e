//! Policies that need one queue: FIFO, LRU and SIEVE.

use super::objects::{MAX_SIZE, Objects, Slot};
use super::{Evicted, Id, Policy};

/// What tells such policies apart.
pub trait Order: std::fmt::Debug + Default {
    /// An object was used.
    fn used(&self, objects: &mut Objects<1>, slot: Slot);

    /// The object that leaves next; it does then.
    fn next(&mut self, objects: &mut Objects<1>) -> Option<Slot>;

    /// An object leaves, for whatever reason.
    fn leaves(&mut self, objects: &Objects<1>, slot: Slot);
}

/// Objects in one queue, of which the order says who leaves.
#[derive(Debug)]
pub struct OneQueue<O> {
    objects: Objects<1>,
    order: O,
    capacity: u64,
}

impl<O: Order> OneQueue<O> {
    /// A room of so many bytes.
    pub fn new(capacity: u64) -> Self {
        Self { objects: Objects::new(), order: O::default(), capacity: capacity.min(MAX_SIZE) }
    }

    /// Lets objects leave until there is room for so many bytes.
    fn make_room(&mut self, size: u64) -> Evicted {
        let mut evicted = Evicted::new();
        while self.used() + size > self.capacity {
            let Some(slot) = self.order.next(&mut self.objects) else { break };
            evicted.push(self.take(slot).0);
        }
        evicted
    }

    fn take(&mut self, slot: Slot) -> (Id, u64) {
        self.order.leaves(&self.objects, slot);
        self.objects.take(slot)
    }
}

impl<O: Order> Policy for OneQueue<O> {
    fn insert(&mut self, id: Id, size: u64) -> Evicted {
        if size > self.capacity {
            self.remove(id);
            return Evicted::from_iter([id]);
        }
        if let Some(slot) = self.objects.find(id) {
            self.order.used(&mut self.objects, slot);
            self.objects.set_size(slot, size);
            return self.make_room(0);
        }
        let evicted = self.make_room(size);
        self.objects.put(id, size, 0);
        evicted
    }

    fn touch(&mut self, id: Id) -> bool {
        let slot = self.objects.find(id);
        slot.inspect(|&slot| self.order.used(&mut self.objects, slot)).is_some()
    }

    fn remove(&mut self, id: Id) -> Option<u64> {
        let slot = self.objects.find(id)?;
        Some(self.take(slot).1)
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
