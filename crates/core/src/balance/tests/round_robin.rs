//! Turns.

use proptest::prelude::*;

use super::*;

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
