//! What is told of a pick.

use super::narrowing::tiers;
use super::*;

#[test]
fn what_is_told_of_a_pick_names_the_endpoints_that_could_not_be_picked_and_why() {
    let mut plan = tiers(BalancePolicy::LeastRequest, &[0, 0, 0, 1]);
    plan.balance.spill_over = number(10);
    let balancer = balancer(&plan);
    balancer.endpoints()[1].set_weight(0);
    balancer.renew(NOW);
    balancer.endpoints()[2].load.begin();
    let mut random = SplitMix64::new(1);
    let mut pick = Pick { tried: &[2], ..Pick::new(NOW, &mut random) };
    let picked = balancer.pick(&mut pick).unwrap();
    let told = balancer.explain(&pick, Some(picked));
    let reasons: Vec<_> = told.iter().map(|each| each.passed_over).collect();
    let other_tier = Some("its labels, priority or zone are not in turn");
    assert_eq!((picked, told[0].picked), (0, true));
    let expected = [None, Some("its weight is 0"), Some("it was tried before"), other_tier];
    assert_eq!(reasons, expected);
    assert_eq!((told[0].cost, told[2].cost), (Some(1.0), Some(2.0)));
}

#[test]
fn what_is_told_of_a_pick_is_bounded_and_has_the_picked_one() {
    let plan = upstream(BalancePolicy::RoundRobin, None, &[1; 100]);
    let balancer = balancer(&plan);
    let mut random = SplitMix64::new(1);
    let told = balancer.explain(&Pick::new(NOW, &mut random), Some(70));
    assert_eq!((told.len(), told[0].endpoint.as_str()), (MOST_LISTED, "10.0.0.70:80"));
    assert_eq!(told.iter().filter(|each| each.picked).count(), 1);
}
