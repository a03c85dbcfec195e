#![allow(clippy::unwrap_used)]

mod availability;
mod explain;
mod fastest_free;
mod hashes;
mod least_request;
mod limits;
mod load;
mod mistakes;
mod narrowing;
mod round_robin;
mod slow_start;
mod sticky;

use std::sync::Arc;

use super::*;
use crate::health::{Duty, State};
use crate::load::Outcome;
use crate::plan::testing::number;
use crate::plan::{
    self, BalancePolicy, Endpoint as PlanEndpoint, HashKey, Labels, Probe, SubsetFallback, Upstream,
};

const NOW: Moment = Moment(1_000_000_000);

/// Every policy, and the two ways of those that compare.
const POLICIES: [(BalancePolicy, Option<u32>); 12] = [
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
    let mut plan = plan::testing::upstream();
    (plan.balance.policy, plan.balance.choices) = (policy, choices.map(number));
    plan.balance.hash = Some(hash);
    plan.endpoints = weights.iter().enumerate().map(endpoint).collect();
    plan.health = crate::health::testing::health();
    (plan.health.rise, plan.health.fall) = (number(1), number(1));
    (plan.health.outlier.connect_failures, plan.health.panic_threshold) = (number(1), number(0));
    plan
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
        from.renew(self.now);
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

fn maintain(balancer: &Balancer, index: usize) {
    let health = crate::health::testing::health();
    let duty = Duty::Maintenance { reason: "a disk".into() };
    balancer.endpoints()[index].health.configure(&health, duty, NOW);
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
