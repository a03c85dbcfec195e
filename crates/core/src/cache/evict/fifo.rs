//! First in, first out.

use super::objects::{Objects, Slot};
use super::one_queue::{OneQueue, Order};

/// What came first leaves first, used or not.
pub type Fifo = OneQueue<ByArrival>;

/// The order of arrival.
#[derive(Debug, Default)]
pub struct ByArrival;

impl Order for ByArrival {
    fn used(&self, _: &mut Objects, _: Slot) {}

    fn next(&mut self, objects: &mut Objects) -> Option<Slot> {
        objects.oldest(0)
    }
}
