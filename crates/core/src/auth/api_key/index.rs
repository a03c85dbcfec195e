//! The index of keys: where among all a key is, by its id.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// Finds places by id, in one read of memory for almost all. Built once; ids come from the configuration, so a hash
/// without a secret does.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A power of two, more than half of them free; a key is at the first free one from where its hash points.
    slots: Box<[Slot]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Half of the hash that did not choose the slot, so that hardly ever another key's id is compared.
    tag: u32,
    place: u32,
}

/// No key is at this place.
const FREE: u32 = u32::MAX;

impl Index {
    /// With room for so many keys.
    pub(super) fn for_keys(count: usize) -> Self {
        let slots = (2 * count + 1).next_power_of_two();
        Self { slots: vec![Slot { tag: 0, place: FREE }; slots].into() }
    }

    /// The place of `id`; `is_at` says whether it is at a place.
    pub(super) fn find(&self, id: &str, is_at: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = hash(id);
        let tag = tag(hash);
        self.probe(hash)
            .take_while(|slot| slot.place != FREE)
            .find(|slot| slot.tag == tag && is_at(slot.place))
            .map(|slot| slot.place)
    }

    /// Put `id`, which is not there, at a place. There is room for as many as were said.
    pub(super) fn put(&mut self, id: &str, place: u32) {
        let hash = hash(id);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].place != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = Slot { tag: tag(hash), place };
    }

    /// All slots, from the one that `hash` chooses on.
    fn probe(&self, hash: u64) -> impl Iterator<Item = &Slot> {
        let first = hash as usize & self.slots.len().wrapping_sub(1);
        let (before, after) = self.slots.split_at(first.min(self.slots.len()));
        after.iter().chain(before)
    }
}

const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

fn hash(id: &str) -> u64 {
    FixedState::with_seed(0).hash_one(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_index_of_nothing_finds_nothing() {
        assert_eq!(Index::default().find("a", |_| true), None);
        assert_eq!(Index::for_keys(0).find("a", |_| true), None);
    }

    proptest! {
        #[test]
        fn what_was_put_is_found_and_nothing_else(
            ids in prop::collection::btree_set("[a-d]{0,4}", 0..200), other in "[a-d]{0,4}",
        ) {
            let ids = Vec::from_iter(ids);
            let mut index = Index::for_keys(ids.len());
            for (place, id) in ids.iter().enumerate() {
                index.put(id, place as u32);
            }
            for id in ids.iter().chain([&other]) {
                let expected = ids.iter().position(|known| known == id).map(|place| place as u32);
                prop_assert_eq!(index.find(id, |place| ids[place as usize] == *id), expected);
            }
        }
    }
}
