//! SIEVE (Zhang, Yang, Yue, Vigfusson and Rashmi, *SIEVE is Simpler than LRU*, NSDI 2024).

use super::objects::{Objects, Slot};
use super::one_queue::{OneQueue, Order};

/// A hand goes from the oldest object to the newest and round again. It forgets of those that were used that they were, and
/// stops at the first one that was not: that one leaves. Nothing is moved, so what is new is looked at soon after it came,
/// in each round, and what is used stays where it is.
pub type Sieve = OneQueue<Hand>;

/// Where the next search begins; with the oldest object if it is `None`.
#[derive(Debug, Default)]
pub struct Hand(Option<Slot>);

impl Order for Hand {
    fn used(&self, objects: &mut Objects, slot: Slot) {
        objects.set_uses(slot, 1);
    }

    fn next(&mut self, objects: &mut Objects) -> Option<Slot> {
        let mut slot = self.0.or(objects.oldest(0))?;
        while objects.uses(slot) > 0 {
            objects.set_uses(slot, 0);
            slot = objects.newer(slot).or(objects.oldest(0))?;
        }
        self.0 = Some(slot);
        Some(slot)
    }

    fn forget(&mut self, objects: &Objects, slot: Slot) {
        if self.0 == Some(slot) {
            self.0 = objects.newer(slot);
        }
    }
}
