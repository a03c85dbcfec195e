#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::balance::tests::upstream;
use crate::plan::BalancePolicy;
use crate::plan::testing::number;

const NOW: Moment = Moment(60_000_000_000);

fn plan() -> plan::Prequal {
    upstream(BalancePolicy::Prequal, None, &[1]).balance.prequal
}

/// A pool that was told enough to hold a burden above 8 for hot.
fn pool() -> Pool {
    let mut pool = Pool::new(&plan());
    for _ in 0..32 {
        add(&mut pool, result(99, 8.0, 1.0));
        pool.forget(0);
    }
    pool
}

fn result(endpoint: u32, burden: f32, latency: f32) -> ProbeResult {
    ProbeResult { endpoint, at: NOW, burden, latency, step: 1.0 }
}

/// Take in a result that may be used for ever.
fn add(pool: &mut Pool, result: ProbeResult) {
    pool.add(result, 8, &mut SplitMix64::new(1));
}

fn endpoints(pool: &Pool) -> Vec<u32> {
    let mut endpoints = pool.endpoints.clone();
    endpoints.sort_unstable();
    endpoints
}

fn order(mut pool: Pool) -> Vec<usize> {
    pool.remove = 0;
    std::iter::from_fn(|| pool.take(|_| true)).collect()
}

#[test]
fn cold_ones_go_first_by_latency_and_hot_ones_after_them_by_requests_in_flight() {
    let mut pool = pool();
    for (endpoint, burden, latency) in
        [(0, 20.0, 0.1), (1, 12.0, 0.9), (2, 3.0, 0.5), (3, 8.0, 0.2)]
    {
        add(&mut pool, result(endpoint, burden, latency));
        pool.kept.iter_mut().for_each(|kept| kept.uses = 1);
    }
    assert_eq!(order(pool), [3, 2, 1, 0]);
}

#[test]
fn a_used_answer_counts_the_request_that_it_was_used_for() {
    let mut pool = pool();
    pool.remove = 0;
    add(&mut pool, result(0, 8.0, 0.1));
    add(&mut pool, result(1, 2.0, 0.7));
    assert_eq!(pool.take(|_| true), Some(0));
    assert_eq!(pool.take(|_| true), Some(1), "0 has become hot");
}

#[test]
fn an_unknown_endpoint_is_tried_once() {
    let mut pool = pool();
    pool.remove = 0;
    add(&mut pool, result(0, 1.0, 0.0));
    add(&mut pool, result(1, 1.0, 0.3));
    assert_eq!((pool.take(|_| true), pool.take(|_| true)), (Some(0), Some(1)));
}

#[test]
fn the_oldest_and_the_worst_are_removed_in_turn() {
    let mut pool = pool();
    for (endpoint, latency) in [(0, 0.4), (1, 0.9), (2, 0.1), (3, 0.6)] {
        let at = NOW.after(Duration::from_millis(endpoint.into()));
        add(&mut pool, ProbeResult { at, ..result(endpoint, 1.0, latency) });
    }
    pool.remove_one();
    assert_eq!(endpoints(&pool), [1, 2, 3]);
    pool.remove_one();
    assert_eq!(endpoints(&pool), [2, 3]);
}

#[test]
fn the_oldest_makes_room_and_an_endpoint_has_one_answer() {
    let mut pool = pool();
    for endpoint in (0..20).chain(18..20) {
        let at = NOW.after(Duration::from_millis(endpoint.into()));
        add(&mut pool, ProbeResult { at, ..result(endpoint, 1.0, 1.0) });
    }
    assert_eq!(endpoints(&pool), (4..20).collect::<Vec<_>>());
}

#[test]
fn an_answer_is_used_for_a_second() {
    let mut pool = pool();
    add(&mut pool, result(0, 1.0, 1.0));
    pool.expire(NOW.after(Duration::from_secs(1)));
    assert_eq!(pool.kept.len(), 1);
    pool.expire(NOW.after(Duration::from_millis(1_001)));
    assert_eq!(pool.take(|_| true), None);
}

proptest! {
    #[test]
    fn the_pool_never_exceeds_its_size_nor_its_age_and_repeats_no_endpoint(
        most in 2u32..20, steps in proptest::collection::vec((0u32..30, 0u64..400, 0.0f32..9.0), 1..200),
    ) {
        let mut pool = Pool::new(&plan::Prequal { pool: number(most), age: number(1_000), ..plan() });
        let mut now = NOW;
        for (endpoint, millis, burden) in steps {
            now = now.after(Duration::from_millis(millis));
            pool.expire(now);
            add(&mut pool, ProbeResult { at: now, ..result(endpoint, burden, burden) });
            let mut endpoints = endpoints(&pool);
            endpoints.dedup();
            prop_assert_eq!(endpoints.len(), pool.kept.len());
            prop_assert!(endpoints.len() <= most as usize);
            prop_assert!(pool.kept.iter().all(|kept| now.since(kept.result.at) <= Duration::from_secs(1)));
            prop_assert!(pool.take(|_| true).is_some());
        }
    }
}
