//! Mistakes in a plan.

use super::sticky::sticky;
use super::*;

#[test]
fn every_mistake_of_a_plan_is_reported_with_its_place() {
    let mut plan = upstream(BalancePolicy::RingHash, None, &[1, 1]);
    assert_eq!(check("u", &upstream(BalancePolicy::RingHash, None, &[1, 1])), []);
    plan.balance.hash = None;
    plan.balance.probe =
        Some(Probe { path: "probe".into(), interval: number(1), limit: number(1) });
    plan.balance.prequal.remove = 3;
    plan.endpoints[1].address = plan.endpoints[0].address.clone();
    let paths = |plan: &Upstream| -> Vec<_> {
        check("u", plan).into_iter().map(|issue| issue.path).collect()
    };
    let others = ["u.balance.probe.path", "u.balance.prequal.remove", "u.endpoints.1.address"];
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
    assert_eq!(check("u", &plan), []);
    plan.balance.sticky =
        Some(plan::Sticky { cookie: "a b".into(), path: "/;".into(), ..sticky(None) });
    let paths: Vec<_> = check("u", &plan).into_iter().map(|issue| issue.path).collect();
    assert_eq!(paths, ["u.balance.sticky.cookie", "u.balance.sticky.path"]);
}
