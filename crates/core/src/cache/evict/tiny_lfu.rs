//! TinyLFU and W-TinyLFU (Einziger, Friedman and Manes, *TinyLFU: A Highly Efficient Cache Admission Policy*, 2017).

use smallvec::SmallVec;

use super::objects::{Objects, Slot};
use super::rule::Rule;
use super::sketch::Sketch;
use super::{Evicted, Id};

/// The queue of what is new.
const WINDOW: usize = 0;
/// The queue of what was admitted.
const PROBATION: usize = 1;
/// The queue of what was used since.
const PROTECTED: usize = 2;

/// What was asked for more often, of late, stays.
///
/// All that is asked for is counted in a [`Sketch`], hits and misses. When the room is full, a new object is admitted only
/// if it was asked for more often than those together that would have to leave for it: of the least recently used ones, as
/// many as are as large as it is (Einziger, Eytan, Friedman and Manes, *Lightweight Robust Size Aware Cache Management*, 2022).
///
/// With a window, new objects first have a small room of their own, ordered by their last use, where one that is asked
/// for in a burst can be found until its count tells.
#[derive(Debug)]
pub struct TinyLfu {
    objects: Objects,
    sketch: Sketch,
    shares: Shares,
}

/// Parts of the room, in percent.
#[derive(Debug, Clone, Copy)]
struct Shares {
    /// Of the whole.
    window: u64,
    /// Of what the window leaves.
    protected: u64,
}

impl TinyLfu {
    /// A room of so many bytes with no window and one queue, as the crate moka has it (0.12).
    pub fn plain(capacity: u64) -> Self {
        Self::new(capacity, Shares { window: 0, protected: 0 })
    }

    /// A room of so many bytes, of which a hundredth is the window. Of the rest, four fifths are for objects that were used
    /// since they were admitted, as the paper and the library Caffeine have it.
    pub fn windowed(capacity: u64) -> Self {
        Self::new(capacity, Shares { window: 1, protected: 80 })
    }

    fn new(capacity: u64, shares: Shares) -> Self {
        Self { objects: Objects::new(capacity), sketch: Sketch::new(), shares }
    }

    fn window(&self) -> u64 {
        self.objects.capacity() / 100 * self.shares.window
    }

    /// What the window leaves.
    fn main(&self) -> u64 {
        self.objects.capacity() - self.window()
    }

    fn bytes_in_main(&self) -> u64 {
        self.objects.bytes_in(PROBATION) + self.objects.bytes_in(PROTECTED)
    }

    /// The object in the main queues that leaves next.
    fn next(&self) -> Option<Slot> {
        self.objects.oldest(PROBATION).or(self.objects.oldest(PROTECTED))
    }

    /// Those that leave the main queues for an object of the window, or `None` if they are worth more than it.
    fn victims(&self, candidate: Slot) -> Option<SmallVec<[Slot; 4]>> {
        let (size, mut victims) = (self.objects.size(candidate), SmallVec::new());
        if self.bytes_in_main() + size <= self.main() {
            return Some(victims);
        }
        let worth = |slot| self.sketch.count_of(self.objects.id(slot));
        let (mut bytes, mut counts) = (0, 0);
        let mut next = self.next();
        while bytes < size {
            let victim = next?;
            bytes += self.objects.size(victim);
            counts += worth(victim);
            if counts >= worth(candidate) {
                return None;
            }
            victims.push(victim);
            let is_on_probation = self.objects.queue(victim) == PROBATION;
            let protected = || self.objects.oldest(PROTECTED).filter(|_| is_on_probation);
            next = self.objects.newer(victim).or_else(protected);
        }
        Some(victims)
    }
}

impl Rule for TinyLfu {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn objects_mut(&mut self) -> &mut Objects {
        &mut self.objects
    }

    fn admit(&mut self, id: Id, size: u64) -> Evicted {
        self.objects.put(id, size, WINDOW);
        self.sketch.grow_for(self.objects.len());
        self.settle()
    }

    fn use_once_more(&mut self, slot: Slot) {
        if self.objects.queue(slot) == WINDOW {
            self.objects.renew(slot, WINDOW);
            return;
        }
        self.objects.renew(slot, PROTECTED);
        let protected = self.main() / 100 * self.shares.protected;
        while self.objects.bytes_in(PROTECTED) > protected
            && let Some(oldest) = self.objects.oldest(PROTECTED)
        {
            self.objects.renew(oldest, PROBATION);
        }
    }

    fn settle(&mut self) -> Evicted {
        let mut evicted = Evicted::new();
        while self.bytes_in_main() > self.main()
            && let Some(slot) = self.next()
        {
            evicted.push(self.objects.take(slot).0);
        }
        while self.objects.bytes_in(WINDOW) > self.window()
            && let Some(candidate) = self.objects.oldest(WINDOW)
        {
            match self.victims(candidate) {
                Some(victims) => {
                    evicted.extend(victims.into_iter().map(|slot| self.objects.take(slot).0));
                    self.objects.renew(candidate, PROBATION);
                }
                None => evicted.push(self.objects.take(candidate).0),
            }
        }
        evicted
    }

    fn count(&mut self, id: Id) {
        self.sketch.add(id);
    }
}
