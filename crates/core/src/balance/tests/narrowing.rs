//! What a policy gets to choose from.

use proptest::prelude::*;

use std::time::Duration;

use super::*;
use crate::load::Sent;
use crate::plan::ZoneAware;

pub(super) fn labels(version: &str) -> Labels {
    Labels::from([("version".into(), version.into())])
}

/// Endpoints of these priorities, all of the weight 1.
pub(super) fn tiers(policy: BalancePolicy, priorities: &[u32]) -> Upstream {
    let mut plan = upstream(policy, None, &vec![1; priorities.len()]);
    for (endpoint, &priority) in plan.endpoints.iter_mut().zip(priorities) {
        endpoint.priority = priority;
    }
    plan
}

/// Endpoints in these zones, all of the weight 1.
fn zones(policy: BalancePolicy, zones: &[&str]) -> Upstream {
    let mut plan = upstream(policy, None, &vec![1; zones.len()]);
    plan.balance.zone_aware = Some(ZoneAware { minimum_endpoints: 4 });
    for (endpoint, &zone) in plan.endpoints.iter_mut().zip(zones) {
        endpoint.zone = (!zone.is_empty()).then(|| zone.into());
    }
    plan
}

/// Endpoints of these versions, all of the weight 1.
fn versions(policy: BalancePolicy, versions: &[&str]) -> Upstream {
    let mut plan = upstream(policy, None, &vec![1; versions.len()]);
    for (endpoint, version) in plan.endpoints.iter_mut().zip(versions) {
        endpoint.labels = labels(version);
    }
    plan
}

pub(super) fn within(plan: &Upstream, around: Surroundings<'_>) -> Balancer {
    Balancer::within(plan, Endpoints::new(plan, None, Moment(0)), around)
}

impl Caller {
    /// How often each endpoint is picked for a subset.
    fn subset_shares(&mut self, from: &Balancer, subset: usize, n: usize) -> Vec<usize> {
        let mut counts = vec![0; from.endpoints().len()];
        for _ in 0..n {
            from.renew(self.now);
            let hash = Some(self.random.next());
            let subset = Some(subset);
            let mut pick = Pick { hash, subset, ..Pick::new(self.now, &mut self.random) };
            counts[from.pick(&mut pick).unwrap()] += 1;
        }
        counts
    }
}

#[test]
fn the_first_tier_takes_all_while_it_can() {
    for (policy, _) in POLICIES {
        let balancer = balancer(&tiers(policy, &[1, 0, 0, 0, 0, 2]));
        rest(&balancer, 1);
        let shares = Caller::new(1).shares(&balancer, 400);
        assert_eq!((shares[0], shares[1], shares[5]), (0, 0, 0), "{policy:?}: {shares:?}");
    }
}

#[test]
fn what_a_tier_cannot_take_spills_over_in_proportion() {
    for (policy, _) in POLICIES {
        let balancer = balancer(&tiers(policy, &[0, 0, 0, 0, 1, 1, 1, 1]));
        for index in 0..2 {
            rest(&balancer, index);
        }
        // Half of the tier is available, where 70 % would do: it takes five sevenths.
        let shares = Caller::new(1).shares(&balancer, 14_000);
        let spilled: usize = shares[4..].iter().sum();
        assert!(spilled.abs_diff(4_000) < 250, "{policy:?}: {shares:?}");
    }
}

#[test]
fn a_dead_tier_hands_over_to_the_next_and_a_retry_goes_there_too() {
    for (policy, _) in POLICIES {
        let balancer = balancer(&tiers(policy, &[0, 1, 2]));
        let mut caller = Caller::new(1);
        assert_eq!(caller.pick_keyed(&balancer, Some(7), &[0]), Some(1), "{policy:?}");
        assert_eq!(caller.pick_keyed(&balancer, Some(7), &[0, 1]), Some(2), "{policy:?}");
        rest(&balancer, 0);
        assert_eq!(caller.shares(&balancer, 100), [0, 100, 0], "{policy:?}");
        rest(&balancer, 1);
        assert_eq!(caller.shares(&balancer, 100), [0, 0, 100], "{policy:?}");
    }
}

#[test]
fn when_no_tier_is_available_all_are_picked() {
    for (policy, _) in POLICIES {
        let balancer = balancer(&tiers(policy, &[0, 0, 1]));
        (0..3).for_each(|index| rest(&balancer, index));
        let shares = Caller::new(1).shares(&balancer, 600);
        assert!(shares.iter().all(|&share| share > 50), "{policy:?}: {shares:?}");
    }
}

#[test]
fn a_key_stays_with_its_tier_while_requests_are_shared() {
    let balancer = balancer(&tiers(BalancePolicy::RingHash, &[0, 0, 1, 1]));
    rest(&balancer, 0);
    for key in 0..200 {
        let hash = Some(hash_key(&[key]));
        let first = Caller::new(1).pick_keyed(&balancer, hash, &[]);
        assert_eq!(Caller::new(2).pick_keyed(&balancer, hash, &[]), first);
    }
}

#[test]
fn first_available_fills_one_endpoint_after_the_other() {
    let mut plan = upstream(BalancePolicy::FirstAvailable, None, &[1, 9, 1]);
    plan.limits.endpoint_requests = Some(number(2));
    let balancer = balancer(&plan);
    let mut caller = Caller::new(1);
    let mut next = || {
        let picked = caller.pick(&balancer)?;
        let sent = balancer.endpoints()[picked].load.begin();
        Some((picked, sent))
    };
    let sent: Vec<_> = std::iter::from_fn(&mut next).collect();
    let picked: Vec<_> = sent.iter().map(|&(picked, _)| picked).collect();
    assert_eq!(picked, [0, 0, 1, 1, 2, 2]);
    let finish = |(index, sent): (usize, Sent)| {
        let load = &balancer.endpoints()[index].load;
        load.finish(sent, Outcome::Answered, Default::default(), NOW);
    };
    [sent[2], sent[4]].into_iter().for_each(finish);
    assert_eq!(next().map(|(picked, _)| picked), Some(1));
    [sent[3], sent[5]].into_iter().for_each(finish);
    rest(&balancer, 0);
    assert_eq!(Caller::new(1).pick_keyed(&balancer, None, &[1]), Some(2));
}

#[test]
fn local_endpoints_are_preferred() {
    for (policy, _) in POLICIES {
        let plan = zones(policy, &["a", "b", "a", "b", "c", "c"]);
        let balancer = within(&plan, Surroundings { zone: Some("b"), ..Default::default() });
        let shares = Caller::new(1).shares(&balancer, 400);
        assert_eq!(shares[1] + shares[3], 400, "{policy:?}: {shares:?}");
        assert!(shares[1] > 100 && shares[3] > 100, "{policy:?}: {shares:?}");
    }
}

#[test]
fn a_zone_with_few_endpoints_is_not_overloaded() {
    let plan = zones(BalancePolicy::Random, &["a", "b", "b", "b"]);
    let local = within(&plan, Surroundings { zone: Some("a"), ..Default::default() });
    let remote = within(&plan, Surroundings { zone: Some("b"), ..Default::default() });
    // Both zones get as many requests: each endpoint carries a quarter of them all.
    let shares = Caller::new(1).shares(&local, 10_000);
    let others = Caller::new(2).shares(&remote, 10_000);
    for (own, other) in shares.into_iter().zip(others) {
        assert!((own + other).abs_diff(5_000) < 400, "{own} and {other}");
    }
}

#[test]
fn zones_do_not_count_below_the_minimum_or_without_local_endpoints() {
    let plan = zones(BalancePolicy::Random, &["a", "a", "b", "b"]);
    for (zone, ill) in [("a", 1), ("c", 0)] {
        let balancer = within(&plan, Surroundings { zone: Some(zone), ..Default::default() });
        (0..ill).for_each(|index| rest(&balancer, index));
        let shares = Caller::new(1).shares(&balancer, 900);
        assert!(shares[ill..].iter().all(|&share| share > 150), "{zone}: {shares:?}");
    }
}

#[test]
fn a_subset_gets_what_asks_for_its_labels() {
    for (policy, _) in POLICIES {
        let plan = versions(policy, &["stable", "canary", "stable", "canary"]);
        let subsets = [labels("canary"), labels("stable")];
        let balancer = within(&plan, Surroundings { subsets: &subsets, ..Default::default() });
        let mut caller = Caller::new(1);
        let canary = caller.subset_shares(&balancer, 0, 200);
        assert_eq!((canary[0], canary[2]), (0, 0), "{policy:?}");
        let stable = caller.subset_shares(&balancer, 1, 200);
        assert_eq!((stable[1], stable[3]), (0, 0), "{policy:?}");
        assert!(caller.shares(&balancer, 200).iter().all(|&share| share > 10), "{policy:?}");
    }
}

#[test]
fn a_subset_without_available_endpoints_falls_back_or_not() {
    for fallback in [SubsetFallback::Any, SubsetFallback::None] {
        let mut plan = versions(BalancePolicy::Random, &["stable", "canary"]);
        plan.balance.subset_fallback = fallback;
        let subsets = [labels("canary"), labels("none such")];
        let balancer = within(&plan, Surroundings { subsets: &subsets, ..Default::default() });
        rest(&balancer, 1);
        balancer.renew(NOW);
        let mut random = SplitMix64::new(1);
        let mut pick = |subset| {
            balancer.pick(&mut Pick { subset: Some(subset), ..Pick::new(NOW, &mut random) }).ok()
        };
        let expected = match fallback {
            SubsetFallback::Any => (Some(0), Some(0)),
            SubsetFallback::None => (Some(1), None),
        };
        assert_eq!((pick(0), pick(1)), expected, "{fallback:?}");
    }
}

proptest! {
    // Fewer cases than usual: each makes Maglev tables.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn narrowing_yields_available_members_and_finds_one_where_there_is_one(
        endpoints in proptest::collection::vec((0u32..3, 0u32..3, 0usize..4, any::<bool>(), any::<bool>()), 1..16),
        tried in proptest::collection::vec(0usize..16, 0..4), named in 0usize..16, seed: u64,
    ) {
        let names = ["", "a", "b", "c"];
        for (policy, choices) in POLICIES {
            let mut plan = zones(policy, &vec![""; endpoints.len()]);
            plan.balance.choices = choices.map(number);
            plan.balance.subset_fallback = SubsetFallback::None;
            for (endpoint, &(weight, priority, zone, canary, _)) in plan.endpoints.iter_mut().zip(&endpoints) {
                (endpoint.weight, endpoint.priority) = (weight, priority);
                endpoint.zone = (zone > 0).then(|| names[zone].into());
                endpoint.labels = labels(if canary { "canary" } else { "stable" });
            }
            let subsets = [labels("canary")];
            let balancer = within(&plan, Surroundings { zone: Some("b"), subsets: &subsets, secret: b"" });
            for (index, _) in endpoints.iter().enumerate().filter(|(_, endpoint)| endpoint.4) {
                rest(&balancer, index);
            }
            balancer.renew(NOW);
            let mut random = SplitMix64::new(seed);
            for subset in [None, Some(0)] {
                let open = |e: &&(u32, u32, usize, bool, bool)| e.0 > 0 && (subset.is_none() || e.3);
                let panic = !endpoints.iter().filter(open).any(|e| !e.4);
                let may = |&index: &usize| {
                    endpoints.get(index).is_some_and(|e| open(&e) && (panic || !e.4))
                };
                for _ in 0..4 {
                    let hash = Some(random.next());
                    let open = endpoints.get(named).is_some_and(|e| e.0 > 0);
                    let sticky = open.then_some(named);
                    let sticky = sticky.as_slice();
                    let cost = (random.below(2) > 0).then_some(Duration::from_millis(10));
                    let picked = balancer.pick(&mut Pick {
                        now: NOW, random: &mut random, hash, subset, sticky, tried: &tried, cost,
                    });
                    let all: Vec<usize> = (0..endpoints.len()).filter(may).collect();
                    prop_assert_eq!(picked.is_ok(), !all.is_empty());
                    let Ok(picked) = picked else { continue };
                    prop_assert!(may(&picked), "{:?}", policy);
                    let left = all.iter().any(|index| !tried.contains(index));
                    prop_assert!(!left || !tried.contains(&picked), "{:?}", policy);
                }
            }
        }
    }
}
