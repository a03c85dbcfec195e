//! Policies that give a key its endpoint.

use proptest::prelude::*;

use super::*;

const HASHES: [BalancePolicy; 3] =
    [BalancePolicy::RingHash, BalancePolicy::Maglev, BalancePolicy::Rendezvous];

/// The address that each of `keys` goes to.
fn places(from: &Balancer, keys: &[u64]) -> Vec<String> {
    let mut caller = Caller::new(1);
    let mut place = |&key| caller.pick_keyed(from, Some(key), &[]).unwrap();
    keys.iter().map(|key| from.endpoints()[place(key)].address.clone()).collect()
}

fn keys(count: usize) -> Vec<u64> {
    let mut random = SplitMix64::new(4);
    (0..count).map(|_| random.next()).collect()
}

#[test]
fn the_same_key_goes_to_the_same_endpoint() {
    for policy in HASHES {
        let balancer = of(policy, &[1; 50]);
        let hash = Some(hash_key(b"user-17"));
        let first = Caller::new(1).pick_keyed(&balancer, hash, &[]);
        for seed in 2..50 {
            assert_eq!(Caller::new(seed).pick_keyed(&balancer, hash, &[]), first, "{policy:?}");
        }
    }
}

#[test]
fn without_a_key_a_request_goes_anywhere() {
    for policy in HASHES {
        let balancer = of(policy, &[1; 4]);
        let mut caller = Caller::new(9);
        let mut counts = [0; 4];
        for _ in 0..4_000 {
            counts[caller.pick_keyed(&balancer, None, &[]).unwrap()] += 1;
        }
        assert!(counts.iter().all(|&count| (850..1_150).contains(&count)), "{policy:?} {counts:?}");
    }
}

#[test]
fn the_order_of_the_endpoints_does_not_matter() {
    let keys = keys(2_000);
    for policy in HASHES {
        let plan = upstream(policy, None, &(1..=30).collect::<Vec<_>>());
        let mut turned = plan.clone();
        turned.endpoints.reverse();
        assert_eq!(
            places(&balancer(&plan), &keys),
            places(&balancer(&turned), &keys),
            "{policy:?}"
        );
    }
}

#[test]
fn an_endpoint_that_leaves_moves_its_own_keys_and_hardly_any_other() {
    let keys = keys(20_000);
    for policy in HASHES {
        // Maglev fills its table anew, and a few slots fall to others (§3.4 of the paper).
        let strays = if policy == BalancePolicy::Maglev { 0.05 } else { 0.0 };
        for weights in [vec![1; 50], (1..=50).collect()] {
            let plan = upstream(policy, None, &weights);
            let mut without = plan.clone();
            let gone = without.endpoints.remove(20).address;
            let before = places(&balancer(&plan), &keys);
            let after = places(&balancer(&without), &keys);
            let moved = |own: bool| {
                let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
                changed.filter(|(before, _)| (**before == gone) == own).count() as f64 / 20_000.0
            };
            let share = f64::from(weights[20]) / f64::from(weights.iter().sum::<u32>());
            let ratio = moved(true) / share;
            assert!((0.5..2.0).contains(&ratio), "{policy:?}: {ratio} of its share moved");
            assert!(moved(false) <= strays, "{policy:?}: {} of others moved", moved(false));
        }
    }
}

#[test]
fn an_endpoint_that_rests_moves_only_its_own_keys() {
    let keys = keys(2_000);
    for policy in HASHES {
        let balancer = of(policy, &[1; 20]);
        let before = places(&balancer, &keys);
        rest(&balancer, 3);
        let gone = &balancer.endpoints()[3].address;
        for (before, after) in before.iter().zip(places(&balancer, &keys)) {
            assert!(if before == gone { after != *gone } else { after == *before }, "{policy:?}");
        }
    }
}

#[test]
fn keys_are_spread_by_weight() {
    let weights: Vec<u32> = (0..100).map(|index| 1 + index % 4).collect();
    let sum = f64::from(weights.iter().sum::<u32>());
    for policy in HASHES {
        // A ring's shares scatter; the others are exact but for the random keys.
        let error = if policy == BalancePolicy::RingHash { 0.5 } else { 0.15 };
        let shares = Caller::new(12).shares(&of(policy, &weights), 200_000);
        for (share, &weight) in shares.into_iter().zip(&weights) {
            let ratio = share as f64 / (200_000.0 * f64::from(weight) / sum);
            assert!((ratio - 1.0).abs() < error, "{policy:?}: {ratio} of its share");
        }
    }
}

#[test]
fn the_keys_of_an_endpoint_that_rests_are_spread_over_the_others() {
    for policy in HASHES {
        let balancer = of(policy, &[1; 10]);
        rest(&balancer, 3);
        let shares = Caller::new(2).shares(&balancer, 18_000);
        for (index, share) in shares.into_iter().enumerate().filter(|&(index, _)| index != 3) {
            assert!((1_400..2_700).contains(&share), "{policy:?}: {share} for {index}");
        }
    }
}

proptest! {
    // Fewer cases than usual: each makes Maglev tables.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_endpoint_carries_more_than_its_bound(
        weights in proptest::collection::vec(1u32..5, 2..12), bound in 1.0f64..2.0,
        keys in 1u64..5, narrowed: bool, seed: u64,
    ) {
        for policy in HASHES {
            let mut plan = upstream(policy, None, &weights);
            plan.balance.load_bound = number(bound);
            // The last one is a backup, which carries requests of its own that do not count.
            let last = weights.len() - 1;
            plan.endpoints[last].priority = u32::from(narrowed);
            let used = if narrowed { &weights[..last] } else { &weights[..] };
            let balancer = balancer(&plan);
            (0..50).filter(|_| narrowed).for_each(|_| _ = balancer.endpoints()[last].load.begin());
            let sum = f64::from(used.iter().sum::<u32>());
            let mut caller = Caller::new(seed);
            for request in 1..=100 {
                let hash = hash_key(&caller.random.below(keys).to_le_bytes());
                let picked = caller.pick_keyed(&balancer, Some(hash), &[]).unwrap();
                prop_assert!(picked < used.len());
                let load = &balancer.endpoints()[picked].load;
                load.begin();
                let most = (bound * f64::from(request) / sum * f64::from(weights[picked])).ceil();
                prop_assert!(f64::from(load.in_flight()) <= most, "{policy:?}: {most}");
            }
        }
    }
}
