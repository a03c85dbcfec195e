//! Clients that stay with their endpoint.

use proptest::prelude::*;

use super::narrowing::{labels, tiers, within};
use super::*;
use crate::plan::SameSite;

pub(super) fn sticky(secret: Option<&str>) -> plan::Sticky {
    plan::Sticky {
        cookie: "app".into(),
        ttl: Some(number(90_500)),
        path: "/".into(),
        secure: true,
        http_only: true,
        same_site: SameSite::Lax,
        secret: secret.map(Into::into),
    }
}

impl Caller {
    fn pick_sticky(&mut self, from: &Balancer, named: usize, tried: &[usize]) -> Option<usize> {
        self.pick_named(from, &[named], tried)
    }

    fn pick_named(&mut self, from: &Balancer, sticky: &[usize], tried: &[usize]) -> Option<usize> {
        from.renew(self.now);
        from.pick(&mut Pick { sticky, tried, ..Pick::new(self.now, &mut self.random) }).ok()
    }
}

#[test]
fn a_sticky_client_stays_while_its_endpoint_may_be_picked() {
    for (policy, _) in POLICIES {
        let balancer = balancer(&tiers(policy, &[0, 0, 0, 1]));
        let mut caller = Caller::new(1);
        for named in 0..4 {
            assert_eq!(caller.pick_sticky(&balancer, named, &[]), Some(named), "{policy:?}");
        }
        assert_ne!(caller.pick_sticky(&balancer, 2, &[2]), Some(2), "it was tried: {policy:?}");
        rest(&balancer, 2);
        assert_ne!(caller.pick_sticky(&balancer, 2, &[]), Some(2), "it rests: {policy:?}");
        assert_eq!(
            caller.pick_named(&balancer, &[2, 1], &[]),
            Some(1),
            "the other one: {policy:?}"
        );
        [0, 1, 3].into_iter().for_each(|index| rest(&balancer, index));
        assert_eq!(caller.pick_sticky(&balancer, 2, &[]), Some(2), "panic: {policy:?}");
    }
}

#[test]
fn a_sticky_client_stays_with_an_endpoint_that_new_clients_do_not_get_while_it_can_serve() {
    type Closing = fn(&Balancer, usize);
    let ways: [Closing; 2] = [drain, |balancer, index| balancer.endpoints()[index].set_weight(0)];
    for (policy, _) in POLICIES {
        for close in ways {
            let balancer = balancer(&upstream(policy, None, &[1, 1]));
            let mut caller = Caller::new(1);
            close(&balancer, 1);
            assert_eq!(caller.pick_sticky(&balancer, 1, &[]), Some(1), "{policy:?}");
            assert_eq!(caller.pick(&balancer), Some(0), "a new client: {policy:?}");
            assert_eq!(caller.pick_sticky(&balancer, 1, &[1]), Some(0), "it was tried: {policy:?}");
            (0..3).for_each(|_| _ = balancer.endpoints()[1].health.connect_failed(NOW));
            assert_eq!(caller.pick_sticky(&balancer, 1, &[]), Some(0), "it is gone: {policy:?}");
            close(&balancer, 0);
            assert_eq!(caller.pick_sticky(&balancer, 0, &[]), Some(0), "no other: {policy:?}");
            assert_eq!(caller.pick_sticky(&balancer, 1, &[]), None, "none: {policy:?}");
        }
    }
}

#[test]
fn no_client_stays_with_an_endpoint_in_maintenance_that_was_ill_or_has_other_labels() {
    let mut plan = upstream(BalancePolicy::Random, None, &[1, 1, 1, 0]);
    plan.endpoints[3].labels = labels("old");
    let subsets = [labels("new")];
    plan.endpoints[..3].iter_mut().for_each(|endpoint| endpoint.labels = labels("new"));
    let balancer = within(&plan, Surroundings { subsets: &subsets, ..Surroundings::default() });
    maintain(&balancer, 1);
    rest(&balancer, 2);
    drain(&balancer, 2);
    let mut caller = Caller::new(1);
    for named in 1..3 {
        assert_eq!(caller.pick_sticky(&balancer, named, &[]), Some(0));
    }
    let mut asks = |subset| {
        balancer.pick(&mut Pick { sticky: &[3], subset, ..Pick::new(NOW, &mut caller.random) })
    };
    assert_eq!((asks(None), asks(Some(0))), (Ok(3), Ok(0)));
}

#[test]
fn a_sticky_client_stays_in_panic_while_another_endpoint_is_to_be_tried() {
    let mut plan = upstream(BalancePolicy::LeastRequest, None, &[1, 1, 1]);
    plan.health.panic_threshold = number(50);
    for seed in 0..20 {
        let balancer = balancer(&plan);
        rest(&balancer, 0);
        (1..3).for_each(|index| fail_checks(&balancer, index));
        let mut caller = Caller::new(seed);
        caller.now = NOW.after(std::time::Duration::from_secs(1));
        assert_eq!(caller.pick_sticky(&balancer, 2, &[]), Some(2));
    }
}

fn value(set_cookie: &str) -> &[u8] {
    set_cookie.strip_prefix("app=").unwrap().split(';').next().unwrap().as_bytes()
}

#[test]
fn a_cookie_names_its_endpoint_through_changes_of_the_others() {
    let plan = upstream(BalancePolicy::Random, None, &[1; 5]);
    let before = Sticky::new(&sticky(None), &plan, b"secret");
    let mut changed = plan.clone();
    changed.endpoints.remove(1);
    changed.endpoints.reverse();
    let after = Sticky::new(&sticky(None), &changed, b"secret");
    for (index, endpoint) in plan.endpoints.iter().enumerate() {
        let cookie = before.set_cookie(index);
        assert!(
            cookie.ends_with("; Path=/; Max-Age=91; Secure; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        assert_eq!(before.endpoint(value(&cookie)), Some(index));
        let place = changed.endpoints.iter().position(|e| e.address == endpoint.address);
        assert_eq!(after.endpoint(value(&cookie)), place);
    }
}

#[test]
fn gateways_with_one_secret_know_each_others_cookies_and_no_others() {
    let plan = upstream(BalancePolicy::Random, None, &[1; 3]);
    let shared = |own: &'static [u8]| Sticky::new(&sticky(Some("of both")), &plan, own);
    let cookie = shared(b"one").set_cookie(2);
    assert_eq!(shared(b"another").endpoint(value(&cookie)), Some(2));
    assert_eq!(Sticky::new(&sticky(None), &plan, b"one").endpoint(value(&cookie)), None);
    let mut other = plan.clone();
    other.name = "other".into();
    assert_eq!(Sticky::new(&sticky(Some("of both")), &other, b"").endpoint(value(&cookie)), None);
}

proptest! {
    #[test]
    fn a_forged_cookie_names_nothing(
        at in 0usize..32, with in "[A-Za-z0-9_-]", text in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let plan = upstream(BalancePolicy::Random, None, &[1; 3]);
        let sticky = Sticky::new(&sticky(None), &plan, b"secret");
        let cookie = sticky.set_cookie(1);
        let mut forged = value(&cookie).to_vec();
        prop_assert_eq!(forged.len(), 32);
        forged[at] = with.as_bytes()[0];
        prop_assert_eq!(sticky.endpoint(&forged).is_some(), forged == value(&cookie));
        prop_assert_eq!(sticky.endpoint(&text), None);
        prop_assert_eq!(sticky.endpoint(&value(&cookie)[..at]), None);
    }
}
