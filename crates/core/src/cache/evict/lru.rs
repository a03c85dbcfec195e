//! Least recently used.

use super::objects::{Objects, Slot};
use super::one_queue::{OneQueue, Order};

/// What was not used for the longest time leaves first.
pub type Lru = OneQueue<ByUse>;

/// The order of the last use.
#[derive(Debug, Default)]
pub struct ByUse;

impl Order for ByUse {
    fn used(&self, objects: &mut Objects, slot: Slot) {
        objects.renew(slot, 0);
    }

    fn next(&mut self, objects: &mut Objects) -> Option<Slot> {
        objects.oldest(0)
    }
}
