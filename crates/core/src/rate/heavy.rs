//! The heaviest keys, without remembering all.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::key::Key;

/// Bytes of a part that are kept.
const LONGEST_PART: usize = 128;

/// Which keys the most requests had, by the space-saving sketch (Metwally, Agrawal and El Abbadi, *Efficient Computation of
/// Frequent and Top-k Elements in Data Streams*, ICDT 2005).
///
/// A key that is not among the `m` counted ones takes the place of the lightest and its count. So a count is never too
/// low, it is too high by [`Heaviest::error`] at most, and any key with more than 1/`m` of everything is counted.
#[derive(Debug)]
pub struct Heavy {
    most: usize,
    /// A heap whose root is the lightest.
    counts: Vec<Heaviest>,
    places: HashMap<Key, usize, FixedState>,
}

/// One key that many requests have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heaviest {
    key: Key,
    /// What it is made of, each part cut after 128 bytes; `None` is a part that its requests lack.
    pub parts: Vec<Option<String>>,
    /// Requests that had it, never too few.
    pub count: u64,
    /// How many too many these are at most.
    pub error: u64,
}

impl Heavy {
    /// Counts `most` keys at a time, at least one.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), counts: Vec::new(), places: HashMap::default() }
    }

    /// One more request has `key`; `parts` is called if it is not among the counted ones yet.
    pub fn add(&mut self, key: Key, parts: impl FnOnce() -> Vec<Option<String>>) {
        if let Some(&place) = self.places.get(&key) {
            self.counts[place].count += 1;
            return self.sink(place);
        }
        let mut parts = parts();
        for part in parts.iter_mut().flatten() {
            part.truncate(part.floor_char_boundary(LONGEST_PART));
        }
        let mut heaviest = Heaviest { key, parts, count: 1, error: 0 };
        if self.counts.len() < self.most {
            self.counts.push(heaviest);
            return self.rise(self.counts.len() - 1);
        }
        let lightest = &mut self.counts[0];
        (heaviest.error, heaviest.count) = (lightest.count, lightest.count + 1);
        self.places.remove(&lightest.key);
        *lightest = heaviest;
        self.sink(0);
    }

    /// The `n` heaviest, the heaviest first.
    pub fn top(&self, n: usize) -> Vec<Heaviest> {
        let mut top = self.counts.clone();
        top.sort_unstable_by(|one, other| {
            other.count.cmp(&one.count).then(one.parts.cmp(&other.parts))
        });
        top.truncate(n);
        top
    }

    /// Move the key at `place` away from the root, until none behind it is lighter.
    fn sink(&mut self, mut place: usize) {
        let children = |place: usize| [2 * place + 1, 2 * place + 2];
        while let Some(lightest) = children(place)
            .into_iter()
            .filter(|child| *child < self.counts.len())
            .min_by_key(|child| self.counts[*child].count)
            .filter(|child| self.counts[*child].count < self.counts[place].count)
        {
            self.exchange(place, lightest);
            place = lightest;
        }
        self.places.insert(self.counts[place].key, place);
    }

    /// Move the key at `place` towards the root, until none before it is heavier.
    fn rise(&mut self, mut place: usize) {
        while place > 0 && self.counts[place].count < self.counts[(place - 1) / 2].count {
            let parent = (place - 1) / 2;
            self.exchange(place, parent);
            place = parent;
        }
        self.places.insert(self.counts[place].key, place);
    }

    fn exchange(&mut self, moved: usize, other: usize) {
        self.counts.swap(moved, other);
        self.places.insert(self.counts[moved].key, moved);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rate::testing::key;

    fn heavy(most: usize, keys: impl IntoIterator<Item = u64>) -> Heavy {
        let mut heavy = Heavy::new(most);
        for n in keys {
            heavy.add(key(n), || vec![Some(n.to_string())]);
        }
        heavy
    }

    fn names(heavy: &Heavy, n: usize) -> Vec<String> {
        heavy.top(n).into_iter().flat_map(|heaviest| heaviest.parts).flatten().collect()
    }

    #[test]
    fn the_heaviest_come_first() {
        let heavy = heavy(10, [1, 2, 2, 3, 3, 3]);
        assert_eq!(names(&heavy, 2), ["3", "2"]);
        assert_eq!(names(&heavy, 9), ["3", "2", "1"]);
    }

    #[test]
    fn a_flood_of_keys_that_come_once_does_not_hide_the_heavy_ones() {
        let keys = (0..100_000).map(|n| if n % 10 == 0 { 7 } else { 1_000 + n });
        let heavy = heavy(50, keys);
        assert_eq!(names(&heavy, 1), ["7"]);
        assert_eq!(heavy.counts.len(), 50);
        assert_eq!(heavy.places.len(), 50);
    }

    #[test]
    fn a_long_part_is_cut_between_two_characters() {
        let mut heavy = heavy(1, []);
        heavy.add(key(1), || vec![Some("é".repeat(100) + "x"), None]);
        heavy.add(key(1), || vec![Some("ignored".into())]);
        assert_eq!(names(&heavy, 1), ["é".repeat(64)]);
    }

    proptest! {
        #[test]
        fn counts_are_never_too_low_and_too_high_by_their_error_at_most(
            keys in prop::collection::vec(0u64..40, 1..400),
            most in 1usize..20,
        ) {
            let heavy = heavy(most, keys.iter().copied());
            let top = heavy.top(usize::MAX);
            prop_assert_eq!(top.iter().map(|heavy| heavy.count).sum::<u64>(), keys.len() as u64);
            for heaviest in &top {
                let exact = keys.iter().filter(|n| key(**n) == heaviest.key).count() as u64;
                prop_assert!(heaviest.count >= exact && heaviest.count - heaviest.error <= exact);
                prop_assert!(heaviest.error <= keys.len() as u64 / most as u64);
            }
            for n in 0..40 {
                let exact = keys.iter().filter(|other| **other == n).count();
                let counted = top.iter().any(|heavy| heavy.key == key(n));
                prop_assert!(counted || exact * most <= keys.len(), "{n} is missing");
            }
        }
    }
}
