//! How the policies that look at load behave with servers that take time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::load::Sent;

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;

/// The policies that look at load, each in the ways that it can compare.
const POLICIES: [(BalancePolicy, Option<u32>); 7] = [
    (BalancePolicy::FastestFree, None),
    (BalancePolicy::FastestFree, Some(2)),
    (BalancePolicy::LeastRequest, None),
    (BalancePolicy::LeastRequest, Some(2)),
    (BalancePolicy::PeakEwma, None),
    (BalancePolicy::PeakEwma, Some(2)),
    (BalancePolicy::Prequal, None),
];

/// How a server answers: after so many milliseconds, plus up to as many again, well or badly.
#[derive(Clone, Copy)]
struct Server {
    millis: u64,
    outcome: Outcome,
}

const GOOD: Server = Server { millis: 40, outcome: Outcome::Answered };
const SLOW: Server = Server { millis: 400, outcome: Outcome::Answered };
const SINKHOLE: Server = Server { millis: 1, outcome: Outcome::Failed };

/// What a server will answer.
struct Answer {
    server: usize,
    took: u64,
    outcome: Outcome,
    sent: Sent,
}

/// Servers that answer any number of requests at once, and clients that come at random.
struct Scene {
    balancer: Balancer,
    random: SplitMix64,
    now: u64,
    /// By time and the number of the request.
    answers: BTreeMap<(u64, u64), Answer>,
    number: u64,
}

impl Scene {
    fn new((policy, choices): (BalancePolicy, Option<u32>), weights: &[u32]) -> Self {
        let balancer = balancer(&upstream(policy, choices, weights));
        let random = SplitMix64::new(42);
        Self { balancer, random, now: 60 * SECOND, answers: BTreeMap::new(), number: 0 }
    }

    /// Requests at `rate` a second for so many seconds; what share of them each server got.
    fn play(&mut self, servers: &[Server], rate: u64, seconds: u64) -> Vec<f64> {
        let mut counts = vec![0; servers.len()];
        let end = self.now + seconds * SECOND;
        while self.now < end {
            self.now += self.random.below(2 * SECOND / rate);
            self.answer();
            let mut pick = Pick::new(Moment(self.now), &mut self.random);
            self.balancer.renew(pick.now);
            let picked = self.balancer.pick(&mut pick).unwrap();
            counts[picked] += 1;
            let sent = self.balancer.endpoints()[picked].load.begin();
            let Server { millis, outcome } = servers[picked];
            let took = millis * MILLISECOND + self.random.below(millis * MILLISECOND);
            self.number += 1;
            let answer = Answer { server: picked, took, outcome, sent };
            self.answers.insert((self.now + took, self.number), answer);
        }
        let sum: usize = counts.iter().sum();
        counts.into_iter().map(|count| count as f64 / sum as f64).collect()
    }

    fn answer(&mut self) {
        while let Some(entry) = self.answers.first_entry()
            && entry.key().0 <= self.now
        {
            let ((at, _), Answer { server, took, outcome, sent }) = entry.remove_entry();
            let load = &self.balancer.endpoints()[server].load;
            load.finish(sent, outcome, Duration::from_nanos(took), Moment(at));
        }
    }
}

#[test]
fn an_endpoint_that_fails_fast_wins_no_traffic_and_gets_its_share_back_when_it_heals() {
    for policy in POLICIES {
        for rate in [50, 500] {
            let mut scene = Scene::new(policy, &[1; 8]);
            let mut servers = [GOOD; 8];
            scene.play(&servers, rate, 5);
            servers[3] = SINKHOLE;
            let ill = scene.play(&servers, rate, 30)[3];
            assert!(ill < 0.3 / 8.0, "{policy:?}: {ill} of {rate} a second");
            servers[3] = GOOD;
            scene.play(&servers, rate, 45);
            let healed = scene.play(&servers, rate, 20)[3];
            // Prequal, where none is hot, favours the endpoint that happens to be quickest.
            assert!(healed > 0.3 / 8.0, "{policy:?}: {healed} of {rate} a second after");
        }
    }
}

#[test]
fn an_endpoint_that_always_failed_wins_no_traffic_either() {
    for policy in POLICIES {
        let mut servers = [GOOD; 8];
        servers[3] = SINKHOLE;
        let share = Scene::new(policy, &[1; 8]).play(&servers, 500, 30)[3];
        assert!(share < 0.3 / 8.0, "{policy:?}: {share}");
    }
}

#[test]
fn one_failure_in_a_hundred_everywhere_changes_no_share() {
    for policy in POLICIES {
        let mut scene = Scene::new(policy, &[1; 8]);
        for _ in 0..60 {
            scene.play(&[GOOD; 8], 500, 1);
            for endpoint in scene.balancer.endpoints().iter().cycle().take(5) {
                endpoint.load.unreachable(Moment(scene.now));
            }
        }
        for share in scene.play(&[GOOD; 8], 500, 30) {
            assert!((0.6 / 8.0..1.5 / 8.0).contains(&share), "{policy:?}: {share}");
        }
    }
}

#[test]
fn a_slow_endpoint_loses_most_of_its_share_and_is_neither_starved_nor_flooded() {
    for policy in POLICIES {
        let mut scene = Scene::new(policy, &[1; 8]);
        let mut servers = [GOOD; 8];
        servers[5] = SLOW;
        let share = scene.play(&servers, 1_000, 60)[5];
        assert!((0.0005..0.5 / 8.0).contains(&share), "{policy:?}: {share}");
    }
}

#[test]
fn a_new_endpoint_gets_its_share_without_being_flooded() {
    for policy in POLICIES {
        let mut scene = Scene::new(policy, &[1; 8]);
        scene.balancer.endpoints()[2].set_weight(0);
        scene.play(&[GOOD; 8], 500, 20);
        scene.balancer.endpoints()[2].set_weight(1);
        let first = scene.play(&[GOOD; 8], 500, 1)[2];
        assert!((0.3 / 8.0..3.0 / 8.0).contains(&first), "{policy:?}: {first}");
    }
}

#[test]
fn a_heavier_endpoint_gets_more() {
    for policy in POLICIES {
        let shares = Scene::new(policy, &[1, 1, 1, 3]).play(&[GOOD; 4], 1_000, 30);
        let heaviest = shares[3] / shares[0];
        assert!(heaviest > 2.0, "{policy:?}: {shares:?}");
    }
}

#[test]
fn what_was_seen_of_an_endpoint_survives_a_reload_and_another_policy() {
    let mut scene = Scene::new((BalancePolicy::LeastRequest, None), &[1; 4]);
    scene.play(&[GOOD, GOOD, SLOW, SINKHOLE], 200, 20);
    let plan = upstream(BalancePolicy::PeakEwma, None, &[1; 4]);
    let endpoints = Endpoints::new(&plan, Some(scene.balancer.endpoints()), Moment(scene.now));
    endpoints.apply(&plan, Moment(scene.now));
    let mut after = Scene { balancer: Balancer::new(&plan, endpoints), ..scene };
    let shares = after.play(&[GOOD, GOOD, SLOW, SINKHOLE], 200, 1);
    assert!(shares[2] < 0.1 && shares[3] < 0.1, "{shares:?}");
}
