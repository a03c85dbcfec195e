//! Mistakes in a plan.

use super::sticky::sticky;
use super::*;

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

#[test]
fn mistakes_are_reported_with_their_place() {
    let mut plan = upstream(BalancePolicy::Random, None, &[1]);
    plan.balance.hash = None;
    plan.balance.sticky = Some(sticky(None));
    let slow_start = plan::SlowStart {
        window: Millis(0),
        curve: plan::SlowStartCurve::Linear,
        minimum: f64::NAN,
    };
    assert_eq!(check("u", &plan), []);
    plan.balance.spill_over = 0.0;
    plan.balance.slow_start = Some(slow_start);
    plan.balance.sticky =
        Some(plan::Sticky { cookie: "a b".into(), path: "/;".into(), ..sticky(None) });
    let paths: Vec<_> = check("u", &plan).into_iter().map(|issue| issue.path).collect();
    let expected =
        ["spill_over", "slow_start.window", "slow_start.minimum", "sticky.cookie", "sticky.path"];
    assert_eq!(paths, expected.map(|option| format!("u.balance.{option}")));
}
