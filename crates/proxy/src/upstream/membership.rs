//! The endpoints of an upstream just now.
//!
//! An upstream lives on while its endpoints come and go: a source finds other ones, an operator changes a weight
//! that a table of hashes depends on. Each time a membership is built beside the workers and takes the place of
//! the one before it, which requests that have it keep to their end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tidegate_core::balance::{Balancer, Endpoint, Endpoints, Surroundings};
use tidegate_core::health::Duty;
use tidegate_core::plan::{self, BalancePolicy, Issue};
use tidegate_core::time::Moment;

use super::live::LiveUpstream;
use super::panic_mode::PanicMode;
use super::{Member, Wanted};
use crate::account::Accounts;
use crate::long_work::LongWork;
use crate::net::clock;
use crate::tls::secret;

/// The endpoints of an upstream just now, and what picks among them.
#[derive(Debug)]
pub struct Membership {
    /// The upstream as the file and the source have it: beneath the operators' words.
    pub plan: Arc<plan::Upstream>,
    /// Picks among `members`, by index.
    pub balancer: Balancer,
    /// The endpoints, in the order of `plan`.
    pub members: Vec<Arc<Member>>,
    /// That of the live values that it was built with.
    pub version: u64,
    panic_mode: Arc<PanicMode>,
    /// Whether a renewal waits beside the workers.
    renewing: AtomicBool,
    /// Whether another one has taken its place.
    replaced: AtomicBool,
}

/// So many endpoints at the most are looked at by the request that finds something changed, which takes it some
/// microseconds.
const RENEWED_AT_ONCE: usize = 128;

/// What a membership takes over from the one before it.
#[derive(Debug, Clone, Copy)]
pub struct Predecessor<'a> {
    /// The one before.
    pub membership: &'a Membership,
    /// Whether endpoints are reached in the same way, so that their connections stay.
    pub same_way: bool,
}

impl Membership {
    /// Build what is `wanted`, whose place in the plan is `path`. What is wrong is added to `issues`.
    ///
    /// Endpoints that the one before has by address keep their load and their health.
    pub fn build(
        wanted: Wanted<'_>,
        before: Option<Predecessor<'_>>,
        path: &str,
        accounts: &Accounts,
        issues: &mut Vec<Issue>,
    ) -> Self {
        let plan = wanted.live.joined(wanted.plan);
        let told = wanted.live.over(&plan);
        let known = before.map(|before| before.membership.balancer.endpoints());
        let endpoints = Endpoints::new(&told, known, clock::now());
        let name: Arc<str> = plan.name.as_str().into();
        let make = |endpoint: &Arc<Endpoint>| Member::new(endpoint, &name, accounts);
        let members = build_members(&endpoints, before, path, make, issues);
        let panic_mode = match before {
            Some(before) => before.membership.panic_mode.clone(),
            None => Arc::new(PanicMode::new(name, accounts.outbox.clone())),
        };
        // Asked for only where it is needed: the system's randomness takes tens of milliseconds to begin with.
        let sticky = plan.balance.sticky.as_ref();
        let secret =
            sticky.and_then(|_| secret::of_process().ok()).map_or(&[][..], |secret| secret);
        let around = Surroundings { zone: wanted.zone, subsets: wanted.subsets, secret };
        let balancer = Balancer::within(&told, endpoints, around);
        drop(told);
        Self {
            plan,
            balancer,
            members,
            version: wanted.live.version(),
            panic_mode,
            renewing: AtomicBool::new(false),
            replaced: AtomicBool::new(false),
        }
    }

    /// The endpoint at `address`, by index.
    pub fn find(&self, address: &str) -> Option<usize> {
        self.members.iter().position(|member| member.endpoint.address == address)
    }

    /// Let picks go by how the endpoints stand at `now`. Where there are many, that is done beside the workers, and
    /// picks go by how they stood before until it is.
    pub fn renew(self: &Arc<Self>, now: Moment, long_work: &LongWork) {
        if !self.balancer.is_stale(now) {
            return;
        }
        if self.members.len() > RENEWED_AT_ONCE {
            if self.renewing.swap(true, Relaxed) {
                return;
            }
            let membership = self.clone();
            let work = move || {
                membership.renewing.store(false, Relaxed);
                membership.renew_now(clock::now());
            };
            if long_work.submit(work).is_ok() {
                return;
            }
            self.renewing.store(false, Relaxed);
        }
        self.renew_now(now);
    }

    /// The same at once.
    pub fn renew_now(&self, now: Moment) {
        self.balancer.renew(now);
        if !self.replaced.load(Relaxed) {
            self.panic_mode.look(|| self.balancer.is_panicking());
        }
    }

    /// Whether it is in panic mode now.
    pub fn is_panicking(&self) -> bool {
        self.renew_now(clock::now());
        self.balancer.is_panicking()
    }

    /// Whether any endpoint may get requests.
    pub fn is_available(&self) -> bool {
        let now = clock::now();
        self.members.iter().any(|member| member.endpoint.takes_requests(now))
    }

    /// Whether any endpoint most likely answers: those that are well, and in panic mode those that answered badly.
    pub fn is_reachable(&self) -> bool {
        let now = clock::now();
        self.members.iter().map(|member| &member.endpoint).any(|endpoint| {
            endpoint.takes_requests(now) || endpoint.is_open() && !endpoint.health.is_down()
        })
    }

    /// Put weights, duties and health settings of `told`, which is this plan with the operators' words over it, into
    /// force.
    pub fn apply(&self, told: &plan::Upstream) {
        for (index, transition) in self.balancer.endpoints().apply(told, clock::now()) {
            self.members[index].health_changed(Some(transition));
        }
    }

    /// Put what is said of the endpoint at `index` into force; false, and nothing is done, where more than it has to
    /// be built anew: its weight changes, and the policy was built from the weights.
    pub fn apply_one(&self, index: usize, live: &LiveUpstream) -> bool {
        let (member, plan) = (&self.members[index], &self.plan.endpoints[index]);
        let told = live.word(&plan.address).map(|word| word.over(plan));
        let told = told.as_ref().unwrap_or(plan);
        let tabled =
            matches!(self.plan.balance.policy, BalancePolicy::RingHash | BalancePolicy::Maglev);
        if tabled && told.weight != member.endpoint.weight() {
            return false;
        }
        member.endpoint.set_weight(told.weight);
        let (health, duty) = (&member.endpoint.health, Duty::of(told));
        member.health_changed(health.configure(&self.plan.health, duty, clock::now()));
        true
    }

    /// Give its place to `after`, and mark the endpoints that are not in that one: their idle connections are
    /// closed.
    pub fn give_way(&self, after: Option<&Membership>) {
        self.replaced.store(true, Relaxed);
        let kept: HashSet<u64> =
            after.iter().flat_map(|after| &after.members).map(|member| member.id).collect();
        let gone = self.members.iter().filter(|member| !kept.contains(&member.id));
        gone.for_each(|member| member.retire());
    }
}

/// A member for each of `endpoints`, which `make` makes; those that the one before reaches in the same way are the same ones.
fn build_members(
    endpoints: &Endpoints,
    before: Option<Predecessor<'_>>,
    path: &str,
    make: impl Fn(&Arc<Endpoint>) -> Result<Member, String>,
    issues: &mut Vec<Issue>,
) -> Vec<Arc<Member>> {
    let known: HashMap<&str, &Arc<Member>> = before
        .iter()
        .filter(|before| before.same_way)
        .flat_map(|before| &before.membership.members)
        .map(|member| (member.endpoint.address.as_str(), member))
        .collect();
    let mut members = Vec::with_capacity(endpoints.len());
    for (index, endpoint) in endpoints.iter().enumerate() {
        match known.get(endpoint.address.as_str()) {
            Some(&same) => members.push(same.clone()),
            None => match make(endpoint) {
                Ok(member) => members.push(Arc::new(member)),
                Err(wrong) => {
                    let place = format!("{path}.endpoints.{index}.address");
                    issues.push(Issue::new(place, wrong));
                }
            },
        }
    }
    members
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use tidegate_core::balance::{Pick, SplitMix64};

    use super::super::live::LiveEndpoints;
    use super::*;
    use crate::account::outbox::Notice;
    use crate::testing;

    struct Stage {
        accounts: Accounts,
        membership: Arc<Membership>,
        long_work: LongWork,
    }

    impl Stage {
        /// With so many endpoints, of which at least half must be well, or all get requests.
        fn new(endpoints: usize) -> Self {
            let mut plan = testing::upstream();
            plan.endpoints =
                (1..=endpoints).map(|port| testing::endpoint(&format!("h:{port}"))).collect();
            let (accounts, live) = (Accounts::new(1), LiveEndpoints::default());
            let wanted =
                Wanted { plan: &Arc::new(plan), zone: None, subsets: &[], live: live.of("app") };
            let mut issues = Vec::new();
            let membership = Membership::build(wanted, None, "", &accounts, &mut issues);
            assert_eq!(issues, []);
            Self { accounts, membership: Arc::new(membership), long_work: LongWork::default() }
        }

        /// Put the endpoints from this one on out of service.
        fn maintain(&self, from: usize) {
            for member in &self.membership.members[from..] {
                let duty = Duty::Maintenance { reason: "a disk".into() };
                member.endpoint.health.configure(&self.membership.plan.health, duty, clock::now());
            }
        }

        /// Whether only the first endpoint is picked.
        fn keeps_to_the_first(&self) -> bool {
            let mut random = SplitMix64::new(1);
            let mut pick =
                || self.membership.balancer.pick(&mut Pick::new(clock::now(), &mut random));
            (0..100).all(|_| pick() == Ok(0))
        }

        fn renew(&self) {
            self.membership.renew(clock::now(), &self.long_work);
        }
    }

    #[test]
    fn a_request_takes_in_how_few_endpoints_stand() {
        let stage = Stage::new(RENEWED_AT_ONCE);
        stage.maintain(1);
        assert!(!stage.keeps_to_the_first());
        stage.renew();
        assert!(stage.keeps_to_the_first());
    }

    #[test]
    fn how_many_endpoints_stand_is_taken_in_once_and_beside_the_workers() {
        let stage = Stage::new(RENEWED_AT_ONCE + 1);
        stage.maintain(1);
        (0..10).for_each(|_| stage.renew());
        assert!(!stage.keeps_to_the_first());
        assert_eq!(stage.long_work.run_waiting(), 1);
        assert!(stage.keeps_to_the_first());
        stage.renew();
        assert_eq!(stage.long_work.run_waiting(), 0);
    }

    #[test]
    fn the_beginning_and_the_end_of_panic_mode_are_told_once() {
        let stage = Stage::new(2);
        let each = |act: &dyn Fn(&Member)| {
            stage.membership.members.iter().for_each(|member| act(member));
            (0..2).for_each(|_| stage.renew());
            let told = stage.accounts.outbox.wait(Duration::ZERO).unwrap();
            told.into_iter().map(|told| told.notice).collect::<Vec<_>>()
        };
        let told = |active| vec![Notice::PanicMode { upstream: "app".into(), active }];
        let failed = each(&|member| _ = member.endpoint.health.connect_failed(clock::now()));
        assert_eq!(failed, told(true));
        let connected = each(&|member| _ = member.endpoint.health.connected(clock::now()));
        assert_eq!(connected, told(false));
    }

    #[test]
    fn where_too_much_waits_beside_the_workers_the_request_does_it() {
        let stage = Stage::new(RENEWED_AT_ONCE + 1);
        stage.long_work.end();
        stage.maintain(1);
        stage.renew();
        assert!(stage.keeps_to_the_first());
    }
}
