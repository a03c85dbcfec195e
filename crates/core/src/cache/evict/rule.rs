//! What tells policies apart. All else they do alike.

use super::objects::{Objects, Slot};
use super::{Evicted, Id, Policy};

/// What becomes of objects by one policy.
pub trait Rule: std::fmt::Debug {
    /// All that are kept.
    fn objects(&self) -> &Objects;

    /// All that are kept.
    fn objects_mut(&mut self) -> &mut Objects;

    /// Takes in an object that is not kept, and not larger than the whole room.
    fn admit(&mut self, id: Id, size: u64) -> Evicted;

    /// An object that is kept is used.
    fn use_once_more(&mut self, slot: Slot);

    /// Lets objects leave until there is room for all that are left.
    fn settle(&mut self) -> Evicted;

    /// An object is asked for, kept or not.
    fn count(&mut self, _: Id) {}

    /// An object is taken out.
    fn forget(&mut self, _: Slot) {}
}

impl<R: Rule> Policy for R {
    fn insert(&mut self, id: Id, size: u64) -> Evicted {
        if size > self.capacity() {
            self.remove(id);
            return Evicted::from_iter([id]);
        }
        let Some(slot) = self.objects().find(id) else { return self.admit(id, size) };
        self.use_once_more(slot);
        self.objects_mut().set_size(slot, size);
        self.settle()
    }

    fn touch(&mut self, id: Id) -> bool {
        self.count(id);
        let slot = self.objects().find(id);
        slot.inspect(|&slot| self.use_once_more(slot)).is_some()
    }

    fn remove(&mut self, id: Id) -> Option<u64> {
        let slot = self.objects().find(id)?;
        self.forget(slot);
        Some(self.objects_mut().take(slot).1)
    }

    fn set_capacity(&mut self, capacity: u64) -> Evicted {
        self.objects_mut().set_capacity(capacity);
        self.settle()
    }

    fn capacity(&self) -> u64 {
        self.objects().capacity()
    }

    fn used(&self) -> u64 {
        self.objects().bytes()
    }

    fn len(&self) -> usize {
        self.objects().len()
    }
}
