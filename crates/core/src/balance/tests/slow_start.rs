//! Weights that grow.

use std::time::Duration;

use super::*;
use crate::plan::{SlowStart, SlowStartCurve};

/// Four equal endpoints that start slowly, over ten seconds.
fn slow(policy: BalancePolicy) -> Upstream {
    let mut plan = upstream(policy, None, &[1; 4]);
    plan.balance.load_bound = number(1_000);
    plan.balance.slow_start = Some(SlowStart {
        window: number(10_000),
        curve: SlowStartCurve::Linear,
        min_weight_percent: number(10),
    });
    plan
}

/// Policies whose shares follow the weights on an idle upstream.
const WEIGHTED: [BalancePolicy; 5] = [
    BalancePolicy::RoundRobin,
    BalancePolicy::Random,
    BalancePolicy::RingHash,
    BalancePolicy::Maglev,
    BalancePolicy::Rendezvous,
];

/// The share of `endpoint` `seconds` after `NOW`, where the whole share is 1.
fn share(balancer: &Balancer, endpoint: usize, seconds: u64) -> f64 {
    let mut caller = Caller::new(seconds);
    caller.now = NOW.after(Duration::from_secs(seconds));
    let shares = caller.shares(balancer, 20_000);
    let others: usize = shares.iter().sum::<usize>() - shares[endpoint];
    shares[endpoint] as f64 / (others as f64 / 3.0)
}

/// Whether the share grows from a tenth over the half to the whole; a ring's whole share scatters.
fn grows(balancer: &Balancer, endpoint: usize) -> bool {
    let [first, half, whole] = [0, 5, 11].map(|seconds| share(balancer, endpoint, seconds));
    (0.6..1.5).contains(&whole)
        && (0.05..0.17).contains(&(first / whole))
        && (0.38..0.65).contains(&(half / whole))
}

#[test]
fn an_endpoint_that_recovered_starts_slowly() {
    for policy in WEIGHTED {
        let balancer = balancer(&slow(policy));
        fail_checks(&balancer, 2);
        balancer.endpoints()[2].health.check_passed(NOW).unwrap();
        assert!(grows(&balancer, 2), "{policy:?}");
    }
}

#[test]
fn an_endpoint_that_was_added_to_a_running_upstream_starts_slowly() {
    for policy in WEIGHTED {
        let plan = slow(policy);
        let mut fewer = plan.clone();
        fewer.endpoints.remove(1);
        let running = Endpoints::new(&fewer, None, Moment(0));
        let balancer = Balancer::new(&plan, Endpoints::new(&plan, Some(&running), NOW));
        assert!(grows(&balancer, 1), "{policy:?}");
    }
}

#[test]
fn at_the_process_start_none_is_spared() {
    let plan = slow(BalancePolicy::RoundRobin);
    let balancer = Balancer::new(&plan, Endpoints::new(&plan, None, NOW));
    assert_eq!(Caller::new(1).shares(&balancer, 400), [100; 4]);
    assert!((balancer.effective_weight(0, NOW) - 1.0).abs() < 1e-9);
}

#[test]
fn endpoints_that_recovered_together_share_equally() {
    for policy in WEIGHTED {
        let balancer = balancer(&slow(policy));
        for index in 0..4 {
            fail_checks(&balancer, index);
            balancer.endpoints()[index].health.check_passed(NOW).unwrap();
        }
        for share in Caller::new(1).shares(&balancer, 8_000) {
            assert!((1_200..3_000).contains(&share), "{policy:?}: {share}");
        }
    }
}

#[test]
fn the_effective_weight_tells_how_far_an_endpoint_is() {
    let balancer = balancer(&slow(BalancePolicy::Random));
    let weight = |seconds| balancer.effective_weight(2, NOW.after(Duration::from_secs(seconds)));
    fail_checks(&balancer, 2);
    assert!(weight(0) < 1e-9);
    balancer.endpoints()[2].health.check_passed(NOW).unwrap();
    for (seconds, expected) in [(0, 0.1), (5, 0.5), (20, 1.0)] {
        assert!((weight(seconds) - expected).abs() < 1e-6, "{}", weight(seconds));
    }
}
