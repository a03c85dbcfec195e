#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::balance::tests::{balancer, upstream};
use crate::balance::{Balancer, SplitMix64};
use crate::load::{Outcome, Report};
use crate::plan::BalancePolicy;
use crate::time::Moment;

const NOW: Moment = Moment(60_000_000_000);

fn of(n: usize) -> Balancer {
    balancer(&upstream(BalancePolicy::Prequal, None, &vec![1; n]))
}

fn shares(balancer: &Balancer, picks: usize) -> Vec<usize> {
    let mut counts = vec![0; balancer.endpoints().len()];
    let mut random = SplitMix64::new(7);
    for _ in 0..picks {
        let mut pick = Pick::new(NOW, &mut random);
        counts[balancer.pick(&mut pick).unwrap()] += 1;
    }
    counts
}

#[test]
fn an_endpoints_own_report_goes_before_what_was_seen_of_it() {
    let balancer = of(4);
    for endpoint in balancer.endpoints().iter() {
        let sent = endpoint.load.begin();
        endpoint.load.finish(sent, Outcome::Answered, Duration::from_millis(50), NOW);
    }
    let slow = Report { in_flight: Some(0), latency: Some(3.0), ..Report::default() };
    balancer.endpoints()[1].load.report(slow, NOW);
    assert!(shares(&balancer, 400)[1] < 20);
    let full = Report { utilization: Some(1.0), ..Report::default() };
    balancer.endpoints()[2].load.report(full, NOW);
    assert!(shares(&balancer, 400)[2] < 20);
}

#[test]
fn a_pick_that_finds_the_pool_taken_goes_by_requests_in_flight() {
    let balancer = of(3);
    balancer.endpoints()[0].load.begin();
    let prequal = Prequal::new(&upstream(BalancePolicy::Prequal, None, &[1]).balance.prequal);
    let _taken = prequal.pool.lock();
    let outlook = balancer.outlook();
    let view = outlook.holding(None, 0).unwrap();
    let from = Candidates::new(balancer.endpoints(), view, &[]);
    let mut random = SplitMix64::new(3);
    for _ in 0..100 {
        let mut pick = Pick::new(NOW, &mut random);
        assert_ne!(prequal.choose(&from, &mut pick), 0);
    }
}
