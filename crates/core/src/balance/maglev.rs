//! A look-up table of hashes.
//!
//! Maglev hashing (Eisenbud et al., *Maglev: A Fast and Reliable Software Network Load Balancer*, NSDI
//! 2016, §3.4): every endpoint prefers the table's slots in an order of its own, and the endpoints take
//! turns in taking the best slot that is left. So each has its share of the slots to within one, where a
//! ring's shares scatter, and a look-up is one read. The price: a change of the endpoints moves a few
//! keys between endpoints that stayed.

use super::bounded::Preference;
use super::{SplitMix64, hash_key};
use crate::plan::Endpoint;

/// Slots: the first primes above the powers of two from 2¹⁶ on.
const SIZES: [u32; 8] =
    [65_537, 131_101, 262_147, 524_309, 1_048_583, 2_097_169, 4_194_319, 8_388_617];
/// Slots for an endpoint of mean weight, at least: they bound its error to 2 %.
const SLOTS: usize = 50;

/// The table.
#[derive(Debug)]
pub(super) struct Maglev {
    /// By slot: the endpoint's index.
    table: Vec<u32>,
}

impl Maglev {
    /// The table of those of `endpoints` that `members` names.
    pub(super) fn new(endpoints: &[Endpoint], members: &[u32]) -> Self {
        let weight = |member: u32| u64::from(endpoints[member as usize].weight);
        let mut seeds: Vec<(u64, u32)> = members
            .iter()
            .filter(|&&member| weight(member) > 0)
            .map(|&member| (hash_key(endpoints[member as usize].address.as_bytes()), member))
            .collect();
        // Gateways that list the same endpoints in another order make the same table.
        seeds.sort_unstable();
        let wanted = seeds.len() * SLOTS;
        let size = *SIZES.iter().find(|&&size| size as usize >= wanted).unwrap_or(&SIZES[7]);
        let weights: Vec<u64> = seeds.iter().map(|&(_, member)| weight(member)).collect();
        let mut orders: Vec<Order> =
            seeds.iter().map(|&(seed, _)| Order::new(seed, size)).collect();
        let mut table = vec![0; if seeds.is_empty() { 0 } else { size as usize }];
        let mut taken = Taken::new(size);
        for turn in turns(&weights, size).into_iter().take(table.len()) {
            let slot = orders[turn as usize].next_free(&mut taken);
            table[slot as usize] = seeds[turn as usize].1;
        }
        Self { table }
    }
}

impl Preference for Maglev {
    /// What follows the key's slot in the table is as good as drawn at random, by weight.
    fn walk(&self, hash: u64) -> impl Iterator<Item = usize> {
        let start = (((hash >> 32) * self.table.len() as u64) >> 32) as usize;
        let (before, after) = self.table.split_at(start);
        after.iter().chain(before).map(|&endpoint| endpoint as usize)
    }
}

/// The turns of the endpoints, at least `size` of them: each as often as its share of the weights, and at even
/// distances. Sorted by counting: a heavy endpoint among many light ones costs no more than others.
fn turns(weights: &[u64], size: u32) -> Vec<u32> {
    let sum: u64 = weights.iter().sum();
    let mut passed = 0;
    let quotas: Vec<u64> = weights
        .iter()
        .map(|&weight| {
            let before = share(passed, size, sum);
            passed += weight;
            (share(passed, size, sum) - before).max(1)
        })
        .collect();
    let rounds = quotas.iter().copied().max().unwrap_or(0);
    // The k-th of q turns is in the middle of the k-th of q equal parts of all rounds.
    let round = |k: u64, quota: u64| ((2 * k + 1) * rounds / (2 * quota)) as usize;
    let mut starts = vec![0usize; rounds as usize + 1];
    for &quota in &quotas {
        (0..quota).for_each(|k| starts[round(k, quota) + 1] += 1);
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut turns = vec![0; starts.last().copied().unwrap_or(0)];
    for (endpoint, &quota) in quotas.iter().enumerate() {
        for k in 0..quota {
            let at = &mut starts[round(k, quota)];
            turns[*at] = endpoint as u32;
            *at += 1;
        }
    }
    turns
}

/// Slots of the first `weight` of `sum`.
fn share(weight: u64, size: u32, sum: u64) -> u64 {
    (u128::from(weight) * u128::from(size) / u128::from(sum)) as u64
}

/// The order in which an endpoint prefers the slots: a walk around the table in steps of `skip`.
struct Order {
    at: u32,
    skip: u32,
    size: u32,
}

impl Order {
    fn new(seed: u64, size: u32) -> Self {
        let mut random = SplitMix64::new(seed);
        let at = random.below(u64::from(size)) as u32;
        let skip = random.below(u64::from(size) - 1) as u32 + 1;
        Self { at, skip, size }
    }

    /// Take the best slot that is left; there is one.
    fn next_free(&mut self, taken: &mut Taken) -> u32 {
        loop {
            let slot = self.at;
            self.at += self.skip;
            if self.at >= self.size {
                self.at -= self.size;
            }
            if taken.take(slot) {
                return slot;
            }
        }
    }
}

/// Which slots are taken: a bit each, so that the search stays in the cache.
struct Taken(Vec<u64>);

impl Taken {
    fn new(size: u32) -> Self {
        Self(vec![0; size as usize / 64 + 1])
    }

    /// Whether `slot` was free.
    fn take(&mut self, slot: u32) -> bool {
        let (word, bit) = (&mut self.0[slot as usize / 64], 1 << (slot % 64));
        let free = *word & bit == 0;
        *word |= bit;
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_a_prime() {
        for size in SIZES {
            let mut divisors = (2..).take_while(|divisor| divisor * divisor <= size);
            assert!(divisors.all(|divisor| size % divisor != 0), "{size}");
        }
    }

    #[test]
    fn turns_are_taken_by_weight_and_at_even_distances() {
        assert_eq!(turns(&[1, 1, 1], 9), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
        assert_eq!(turns(&[1, 4], 5), [1, 1, 0, 1, 1]);
        assert!(turns(&[], 5).is_empty());
    }

    #[test]
    fn a_tiny_weight_still_gets_a_turn() {
        let turns = turns(&[1, 1_000_000], 100);
        assert!(turns.contains(&0) && turns.len() <= 101);
    }
}
