//! How many requests an endpoint may have.

use super::*;

/// A balancer of `weights` whose endpoints may have `limit` requests each.
fn limited(policy: BalancePolicy, choices: Option<u32>, weights: &[u32], limit: u32) -> Balancer {
    let mut upstream = upstream(policy, choices, weights);
    upstream.limits.endpoint_requests = Some(number(limit));
    balancer(&upstream)
}

#[test]
fn an_endpoint_never_gets_more_requests_than_it_may_have() {
    for (policy, choices) in POLICIES {
        let balancer = limited(policy, choices, &[5, 1, 1], 4);
        let mut random = SplitMix64::new(3);
        let mut pick = || balancer.pick(&mut Pick { hash: Some(9), ..Pick::new(NOW, &mut random) });
        let sent = [(); 12].map(|()| {
            let picked = pick().unwrap();
            (picked, balancer.endpoints()[picked].load.begin())
        });
        let loads: Vec<_> = balancer.endpoints().iter().map(|e| e.load.in_flight()).collect();
        assert_eq!(loads, [4, 4, 4], "{policy:?}");
        assert_eq!(pick(), Err(Unpicked::AllBusy), "{policy:?}");
        let (_, sent) = sent.into_iter().find(|&(picked, _)| picked == 1).unwrap();
        balancer.endpoints()[1].load.finish(sent, Outcome::Answered, Default::default(), NOW);
        assert_eq!(pick(), Ok(1), "{policy:?}");
    }
}

#[test]
fn the_room_is_that_of_the_endpoints_that_may_be_picked() {
    let balancer = limited(BalancePolicy::LeastRequest, None, &[1, 1, 0], 4);
    assert_eq!(balancer.room(), 8);
    drain(&balancer, 0);
    balancer.renew(NOW);
    assert_eq!(balancer.room(), 4);
    assert_eq!(of(BalancePolicy::LeastRequest, &[1]).room(), u32::MAX);
}
