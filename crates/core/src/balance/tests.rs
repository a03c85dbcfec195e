#![allow(clippy::unwrap_used)]

mod fastest_free;
mod hashes;
mod narrowing;
mod slow_start;

use proptest::prelude::*;

use super::*;
use crate::health::{Duty, State};
use crate::load::Outcome;
use crate::plan::{
    Balance, Endpoint as PlanEndpoint, HashKey, Labels, Millis, Pool, Prequal, Probe, RetryBudget,
    SubsetFallback, Upstream, UpstreamProtocol, UpstreamTimeouts,
};

const NOW: Moment = Moment(1_000_000_000);

/// Every policy, and the two ways of those that compare.
const POLICIES: [(BalancePolicy, Option<u32>); 13] = [
    (BalancePolicy::RoundRobin, None),
    (BalancePolicy::Random, None),
    (BalancePolicy::FastestFree, None),
    (BalancePolicy::FastestFree, Some(2)),
    (BalancePolicy::LeastRequest, None),
    (BalancePolicy::LeastRequest, Some(2)),
    (BalancePolicy::RingHash, None),
    (BalancePolicy::Maglev, None),
    (BalancePolicy::Rendezvous, None),
    (BalancePolicy::PeakEwma, None),
    (BalancePolicy::PeakEwma, Some(2)),
    (BalancePolicy::Prequal, None),
    (BalancePolicy::C3, None),
];

pub(super) fn upstream(policy: BalancePolicy, choices: Option<u32>, weights: &[u32]) -> Upstream {
    let endpoint = |(index, &weight): (usize, &u32)| PlanEndpoint {
        address: format!("10.0.{}.{}:80", index / 256, index % 256),
        weight,
        drain: false,
        priority: 0,
        zone: None,
        labels: Labels::new(),
        maintenance: None,
    };
    let hash =
        HashKey { header: Some("x-user".into()), cookie: None, path: None, client_address: None };
    Upstream {
        name: "app".into(),
        balance: Balance {
            policy,
            choices,
            spill_over: 70.0,
            zone_aware: None,
            subset_fallback: SubsetFallback::Any,
            sticky: None,
            slow_start: None,
            decay: Millis(10_000),
            clients: 1,
            prequal: Prequal {
                pool: 16,
                probes: 3,
                age: Millis(1_000),
                remove: 1,
                reuse: 1.0,
                quantile: 0.6,
            },
            probe: None,
            forward_reports: false,
            hash: Some(hash),
            load_bound: 1.25,
        },
        endpoints: weights.iter().enumerate().map(endpoint).collect(),
        protocol: UpstreamProtocol::Http1,
        tls: None,
        pool: Pool {
            idle_timeout: Millis(1),
            max_age: Millis(1),
            max_idle: 1,
            max_connections: None,
        },
        timeouts: UpstreamTimeouts { connect: Millis(1), response: Millis(1), idle: Millis(1) },
        health: {
            let mut health = crate::health::testing::health();
            (health.rise, health.fall, health.outlier.connect_failures) = (1, 1, 1);
            health.panic_threshold = 0.0;
            health
        },
        retry_budget: RetryBudget { percent: 20.0, minimum: 3.0 },
        limits: crate::plan::UpstreamLimits::unlimited(),
    }
}

pub(super) fn balancer(upstream: &Upstream) -> Balancer {
    Balancer::new(upstream, Endpoints::new(upstream, None, Moment(0)))
}

fn of(policy: BalancePolicy, weights: &[u32]) -> Balancer {
    balancer(&upstream(policy, None, weights))
}

/// The caller's side: its random numbers, and what it does between picks.
struct Caller {
    random: SplitMix64,
    now: Moment,
}

impl Caller {
    fn new(seed: u64) -> Self {
        Self { random: SplitMix64::new(seed), now: NOW }
    }

    fn pick_keyed(&mut self, from: &Balancer, hash: Option<u64>, tried: &[usize]) -> Option<usize> {
        from.pick(&mut Pick { hash, tried, ..Pick::new(self.now, &mut self.random) }).ok()
    }

    fn pick(&mut self, from: &Balancer) -> Option<usize> {
        let hash = self.random.next();
        self.pick_keyed(from, Some(hash), &[])
    }

    /// How often each endpoint is picked in `n` picks whose requests end at once.
    fn shares(&mut self, from: &Balancer, n: usize) -> Vec<usize> {
        let mut counts = vec![0; from.endpoints().len()];
        for _ in 0..n {
            counts[self.pick(from).unwrap()] += 1;
        }
        counts
    }
}

fn rest(balancer: &Balancer, index: usize) {
    balancer.endpoints()[index].health.connect_failed(NOW).unwrap();
}

fn fail_checks(balancer: &Balancer, index: usize) {
    balancer.endpoints()[index].health.check_failed(NOW, "status 503").unwrap();
}

fn drain(balancer: &Balancer, index: usize) {
    let health = crate::health::testing::health();
    balancer.endpoints()[index].health.configure(&health, Duty::Draining, NOW);
}

#[test]
fn round_robin_is_smooth() {
    let balancer = of(BalancePolicy::RoundRobin, &[5, 1, 1]);
    let mut caller = Caller::new(1);
    let picked: Vec<_> = (0..14).map(|_| caller.pick(&balancer).unwrap()).collect();
    assert_eq!(picked, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
}

/// nginx's algorithm, done literally.
fn smooth_sequence(weights: &[u32], n: usize) -> Vec<usize> {
    let total: i64 = weights.iter().map(|&weight| i64::from(weight)).sum();
    let mut credit = vec![0; weights.len()];
    (0..n)
        .map(|_| {
            let mut best: Option<usize> = None;
            for (index, &weight) in weights.iter().enumerate().filter(|&(_, &weight)| weight > 0) {
                credit[index] += i64::from(weight);
                if best.is_none_or(|best| credit[index] > credit[best]) {
                    best = Some(index);
                }
            }
            credit[best.unwrap()] -= total;
            best.unwrap()
        })
        .collect()
}

#[test]
fn round_robin_goes_on_where_it_was_when_an_endpoint_leaves() {
    let balancer = of(BalancePolicy::RoundRobin, &[1, 1, 1, 1]);
    let mut caller = Caller::new(1);
    assert_eq!((caller.pick(&balancer), caller.pick(&balancer)), (Some(0), Some(1)));
    fail_checks(&balancer, 2);
    let picked: Vec<_> = (0..4).map(|_| caller.pick(&balancer).unwrap()).collect();
    assert_eq!(picked, [3, 0, 1, 3]);
}

#[test]
fn round_robin_of_many_workers_gives_each_endpoint_exactly_its_share() {
    let balancer = of(BalancePolicy::RoundRobin, &[3, 2, 1]);
    let counts: Vec<Vec<usize>> = std::thread::scope(|scope| {
        let worker = |seed| {
            let balancer = &balancer;
            scope.spawn(move || Caller::new(seed).shares(balancer, 1_500))
        };
        let workers: Vec<_> = (0..4).map(worker).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let sums: Vec<usize> = (0..3).map(|index| counts.iter().map(|c| c[index]).sum()).collect();
    assert_eq!(sums, [3_000, 2_000, 1_000]);
}

#[test]
fn random_shares_by_weight() {
    let shares = Caller::new(3).shares(&of(BalancePolicy::Random, &[1, 3, 0, 6]), 10_000);
    assert_eq!(shares[2], 0);
    for (share, expected) in shares.into_iter().zip([1_000, 3_000, 0, 6_000usize]) {
        assert!(share.abs_diff(expected) < 200, "{share} of {expected}");
    }
}

#[test]
fn least_request_spreads_an_idle_upstream_evenly() {
    for choices in [None, Some(2), Some(3)] {
        let balancer = balancer(&upstream(BalancePolicy::LeastRequest, choices, &[1; 10]));
        for share in Caller::new(5).shares(&balancer, 10_000) {
            assert!(share.abs_diff(1_000) < 150, "{share} with {choices:?}");
        }
    }
}

#[test]
fn least_request_fills_endpoints_in_proportion_to_their_weights() {
    let balancer = of(BalancePolicy::LeastRequest, &[1, 2, 4]);
    let mut caller = Caller::new(6);
    for _ in 0..70 {
        let picked = caller.pick(&balancer).unwrap();
        balancer.endpoints()[picked].load.begin();
    }
    let in_flight: Vec<_> = balancer.endpoints().iter().map(|e| e.load.in_flight()).collect();
    assert_eq!(in_flight, [10, 20, 40]);
}

#[test]
fn of_two_choices_the_more_loaded_is_never_picked() {
    let balancer = balancer(&upstream(BalancePolicy::LeastRequest, Some(2), &[1; 20]));
    balancer.endpoints()[7].load.begin();
    let shares = Caller::new(8).shares(&balancer, 10_000);
    assert_eq!(shares[7], 0, "it is the more loaded one of every two that it is in");
    assert!(shares.iter().enumerate().all(|(index, &share)| index == 7 || share > 0));
}

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
        plan.health.panic_threshold = 25.0;
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

#[test]
fn endpoints_keep_load_and_health_through_a_reload_by_address() {
    let plan = upstream(BalancePolicy::RoundRobin, None, &[1, 1, 1]);
    let before = Endpoints::new(&plan, None, NOW);
    before[2].load.begin();
    before[2].health.connect_failed(NOW).unwrap();

    let mut changed = plan.clone();
    changed.endpoints.remove(0);
    changed.endpoints.reverse();
    changed.endpoints[0].weight = 7;
    let after = Endpoints::new(&changed, Some(&before), NOW);
    assert!(Arc::ptr_eq(&before[2], &after[0]));
    assert_eq!(after[0].weight(), 1, "until it is applied, nothing is changed");
    after.apply(&changed, NOW);
    assert_eq!(before[2].weight(), 7);
    assert_eq!((after[0].load.in_flight(), after.total().in_flight()), (1, 1));
    assert_eq!(after[0].health.state(), State::Resting);
}

#[test]
fn a_changed_weight_holds_from_the_next_pick_on() {
    let balancer = of(BalancePolicy::Random, &[1, 1]);
    let mut caller = Caller::new(3);
    assert!(caller.shares(&balancer, 100)[1] > 0);
    balancer.endpoints()[1].set_weight(0);
    assert_eq!(caller.shares(&balancer, 100), [100, 0]);
}

#[test]
fn nothing_stays_in_flight_when_many_workers_pick_and_finish() {
    for (policy, choices) in POLICIES {
        let balancer = balancer(&upstream(policy, choices, &[1, 2, 3, 4]));
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let balancer = &balancer;
                scope.spawn(move || {
                    let mut caller = Caller::new(seed);
                    for _ in 0..500 {
                        let picked = &balancer.endpoints()[caller.pick(balancer).unwrap()];
                        let sent = picked.load.begin();
                        picked.health.connect_failed(NOW);
                        picked.health.succeeded(NOW);
                        picked.load.finish(sent, Outcome::Answered, Default::default(), NOW);
                    }
                });
            }
        });
        let requests: u64 = balancer.endpoints().iter().map(|e| e.load.requests()).sum();
        assert_eq!((requests, balancer.endpoints().total().in_flight()), (2_000, 0), "{policy:?}");
    }
}

#[test]
fn every_mistake_of_a_plan_is_reported_with_its_place() {
    let mut plan = upstream(BalancePolicy::RingHash, Some(0), &[1, 1]);
    assert_eq!(check("u", &upstream(BalancePolicy::RingHash, None, &[1, 1])), []);
    plan.balance.hash = None;
    plan.balance.load_bound = 0.9;
    plan.balance.decay = Millis(0);
    plan.balance.probe = Some(Probe { path: "probe".into(), interval: Millis(0), limit: 0 });
    plan.balance.prequal = Prequal {
        pool: 1,
        probes: 0,
        remove: 3,
        reuse: -1.0,
        quantile: 1.1,
        ..plan.balance.prequal
    };
    plan.endpoints[1].address = plan.endpoints[0].address.clone();
    let paths = |plan: &Upstream| -> Vec<_> {
        check("u", plan).into_iter().map(|issue| issue.path).collect()
    };
    let others = [
        "u.balance.choices",
        "u.balance.load_bound",
        "u.balance.decay",
        "u.balance.probe.path",
        "u.balance.probe.interval",
        "u.balance.probe.limit",
        "u.balance.prequal.pool",
        "u.balance.prequal.probes",
        "u.balance.prequal.remove",
        "u.balance.prequal.reuse",
        "u.balance.prequal.quantile",
        "u.endpoints.1.address",
    ];
    assert_eq!(paths(&plan), [&["u.balance.hash"], &others[..]].concat());
    plan.balance.hash = Some(HashKey {
        header: Some("a".into()),
        cookie: Some("b".into()),
        path: None,
        client_address: None,
    });
    assert_eq!(paths(&plan)[0], "u.balance.hash");
    plan.balance.policy = BalancePolicy::Random;
    plan.balance.hash = None;
    assert_eq!(paths(&plan), others);
}

/// What has happened to an endpoint.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Well,
    Rests,
    FailsChecks,
    Drains,
}

fn endpoints() -> impl Strategy<Value = Vec<(u32, u32, Fate)>> {
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

proptest! {
    #[test]
    fn round_robin_is_nginx_s_sequence(weights in proptest::collection::vec(0u32..9, 1..12)) {
        prop_assume!(weights.iter().any(|&weight| weight > 0));
        let balancer = of(BalancePolicy::RoundRobin, &weights);
        let mut caller = Caller::new(0);
        let picked: Vec<_> = (0..100).map(|_| caller.pick(&balancer).unwrap()).collect();
        prop_assert_eq!(picked, smooth_sequence(&weights, 100));
    }
}

/// A balancer of `weights` whose endpoints may have `limit` requests each.
fn limited(policy: BalancePolicy, choices: Option<u32>, weights: &[u32], limit: u32) -> Balancer {
    let mut upstream = upstream(policy, choices, weights);
    upstream.limits.endpoint_requests = Some(limit);
    balancer(&upstream)
}

#[test]
fn an_endpoint_never_gets_more_requests_than_it_may_have() {
    for (policy, choices) in POLICIES {
        let balancer = limited(policy, choices, &[5, 1, 1], 4);
        let mut random = SplitMix64::new(3);
        let mut sent = Vec::new();
        for _ in 0..12 {
            let picked = balancer.pick(&mut Pick {
                now: NOW,
                random: &mut random,
                hash: Some(9),
                subset: None,
                sticky: None,
                tried: &[],
            });
            sent.push(balancer.endpoints()[picked.unwrap()].load.begin());
        }
        let loads: Vec<_> = balancer.endpoints().iter().map(|e| e.load.in_flight()).collect();
        assert_eq!(loads, [4, 4, 4], "{policy:?}");
        let picked = balancer.pick(&mut Pick {
            now: NOW,
            random: &mut random,
            hash: Some(9),
            subset: None,
            sticky: None,
            tried: &[],
        });
        assert_eq!(picked, Err(Unpicked::AllBusy), "{policy:?}");
        balancer.endpoints()[1].load.finish(sent[1], Outcome::Answered, Default::default(), NOW);
        let picked = balancer.pick(&mut Pick {
            now: NOW,
            random: &mut random,
            hash: Some(9),
            subset: None,
            sticky: None,
            tried: &[],
        });
        assert_eq!(picked, Ok(1), "{policy:?}");
    }
}

#[test]
fn the_room_is_that_of_the_endpoints_that_may_be_picked() {
    let balancer = limited(BalancePolicy::LeastRequest, None, &[1, 1, 0], 4);
    assert_eq!(balancer.room(NOW), 8);
    drain(&balancer, 0);
    assert_eq!(balancer.room(NOW), 4);
    assert_eq!(of(BalancePolicy::LeastRequest, &[1]).room(NOW), u32::MAX);
}
