//! Shares by requests in flight, and at random.

use super::*;

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
