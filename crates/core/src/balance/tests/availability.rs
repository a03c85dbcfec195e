//! Which endpoints are picked, by every policy.

use proptest::prelude::*;

use super::*;

#[test]
fn an_endpoint_already_tried_is_avoided_while_another_is_left() {
    for (policy, choices) in POLICIES {
        let balancer = balancer(&upstream(policy, choices, &[100, 1, 1]));
        let mut caller = Caller::new(2);
        for _ in 0..200 {
            let hash = Some(caller.random.next());
            let second = caller.pick_keyed(&balancer, hash, &[0]).unwrap();
            assert_ne!(second, 0, "{policy:?}");
            let third = caller.pick_keyed(&balancer, hash, &[0, second]).unwrap();
            assert_eq!(third, 3 - second, "{policy:?}");
            assert!(caller.pick_keyed(&balancer, hash, &[0, 1, 2]).is_some(), "{policy:?}");
        }
    }
}

#[test]
fn when_all_are_ill_or_rest_they_are_all_picked_except_draining_ones() {
    for (policy, choices) in POLICIES {
        let balancer = balancer(&upstream(policy, choices, &[1, 1, 1, 0]));
        rest(&balancer, 0);
        fail_checks(&balancer, 1);
        drain(&balancer, 2);
        let shares = Caller::new(2).shares(&balancer, 200);
        assert!(shares[0] > 0 && shares[1] > 0, "{policy:?} {shares:?}");
        assert_eq!(&shares[2..], [0, 0], "{policy:?}");
    }
}

#[test]
fn below_the_panic_threshold_the_few_are_not_crushed() {
    for (policy, choices) in POLICIES {
        let mut plan = upstream(policy, choices, &[1; 10]);
        plan.health.panic_threshold = number(25);
        let balancer = balancer(&plan);
        (0..7).for_each(|index| fail_checks(&balancer, index));
        let shares = Caller::new(2).shares(&balancer, 1_000);
        assert_eq!(shares[..7], [0; 7], "{policy:?}: three of ten are enough");
        fail_checks(&balancer, 7);
        rest(&balancer, 8);
        let shares = Caller::new(2).shares(&balancer, 1_000);
        let ill: usize = shares[..9].iter().sum();
        assert!(ill > 500, "{policy:?}: the one that is well is not left alone: {shares:?}");
    }
}

#[test]
fn there_is_no_endpoint_when_all_drain() {
    for (policy, choices) in POLICIES {
        let balancer = balancer(&upstream(policy, choices, &[1, 1]));
        (0..2).for_each(|index| drain(&balancer, index));
        assert_eq!(Caller::new(1).pick(&balancer), None, "{policy:?}");
        assert_eq!(Caller::new(1).pick(&self::balancer(&upstream(policy, choices, &[]))), None);
    }
}

#[test]
fn after_a_rest_one_request_tries_and_the_others_wait_for_its_success() {
    for (policy, choices) in POLICIES {
        let balancer = balancer(&upstream(policy, choices, &[1, 1]));
        rest(&balancer, 0);
        let mut caller = Caller::new(3);
        caller.now = NOW.after(std::time::Duration::from_secs(1));
        assert_eq!(caller.shares(&balancer, 500), [1, 499], "{policy:?}");
        balancer.endpoints()[0].health.succeeded(caller.now).unwrap();
        assert!(caller.shares(&balancer, 500)[0] > 100, "{policy:?}");
    }
}

/// What has happened to an endpoint.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Well,
    Rests,
    FailsChecks,
    Drains,
}

fn endpoints() -> impl proptest::strategy::Strategy<Value = Vec<(u32, u32, Fate)>> {
    let fate = prop_oneof![
        Just(Fate::Well),
        Just(Fate::Rests),
        Just(Fate::FailsChecks),
        Just(Fate::Drains)
    ];
    proptest::collection::vec((0u32..4, 0u32..6, fate), 1..24)
}

proptest! {
    // Fewer cases than usual: each makes Maglev tables.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn only_available_endpoints_are_picked(
        endpoints in endpoints(), seed: u64, tried in proptest::collection::vec(0usize..24, 0..4),
    ) {
        let weights: Vec<u32> = endpoints.iter().map(|&(weight, ..)| weight).collect();
        for (policy, choices) in POLICIES {
            let balancer = balancer(&upstream(policy, choices, &weights));
            for (index, &(_, in_flight, fate)) in endpoints.iter().enumerate() {
                (0..in_flight).for_each(|_| _ = balancer.endpoints()[index].load.begin());
                match fate {
                    Fate::Well => {}
                    Fate::Rests => rest(&balancer, index),
                    Fate::FailsChecks => fail_checks(&balancer, index),
                    Fate::Drains => drain(&balancer, index),
                }
            }
            let open = |&(weight, _, fate): &(u32, u32, Fate)| weight > 0 && !matches!(fate, Fate::Drains);
            let well = |e: &(u32, u32, Fate)| open(e) && matches!(e.2, Fate::Well);
            let mut caller = Caller::new(seed);
            for _ in 0..8 {
                let hash = Some(caller.random.next());
                match caller.pick_keyed(&balancer, hash, &tried) {
                    None => prop_assert!(!endpoints.iter().any(open)),
                    Some(picked) => {
                        let panic = !endpoints.iter().any(well);
                        let eligible = |e: &(u32, u32, Fate)| if panic { open(e) } else { well(e) };
                        prop_assert!(eligible(&endpoints[picked]), "{policy:?} {picked}");
                        let untried = (0..endpoints.len())
                            .any(|index| eligible(&endpoints[index]) && !tried.contains(&index));
                        prop_assert!(!untried || !tried.contains(&picked), "{policy:?} {picked}");
                    }
                }
            }
        }
    }
}
