//! The endpoints of an upstream just now.
//!
//! An upstream lives on while its endpoints come and go: a source finds other ones, an operator changes a weight
//! that a table of hashes depends on. Each time a membership is built beside the workers and takes the place of
//! the one before it, which requests that have it keep to their end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tidegate_core::balance::{Balancer, Endpoints, Surroundings};
use tidegate_core::health::Duty;
use tidegate_core::plan::{self, BalancePolicy, Issue};

use super::live::LiveUpstream;
use super::{Member, Wanted, health};
use crate::account::Accounts;
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
}

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
        let members = build_members(&plan.name, &endpoints, before, path, accounts, issues);
        // Asked for only where it is needed: the system's randomness takes tens of milliseconds to begin with.
        let sticky = plan.balance.sticky.as_ref();
        let secret =
            sticky.and_then(|_| secret::of_process().ok()).map_or(&[][..], |secret| secret);
        let around = Surroundings { zone: wanted.zone, subsets: wanted.subsets, secret };
        let balancer = Balancer::within(&told, endpoints, around);
        drop(told);
        Self { plan, balancer, members, version: wanted.live.version() }
    }

    /// The endpoint at `address`, by index.
    pub fn find(&self, address: &str) -> Option<usize> {
        self.members.iter().position(|member| member.endpoint.address == address)
    }

    /// Whether any endpoint may get requests.
    pub fn is_available(&self) -> bool {
        let now = clock::now();
        self.members.iter().any(|member| member.endpoint.takes_requests(now))
    }

    /// Whether a weight is part of what the policy was built from.
    pub fn depends_on_weights(&self) -> bool {
        matches!(self.plan.balance.policy, BalancePolicy::RingHash | BalancePolicy::Maglev)
    }

    /// Put weights, duties and health settings of `told`, which is this plan with the operators' words over it, into
    /// force.
    pub fn apply(&self, told: &plan::Upstream) {
        for (index, transition) in self.balancer.endpoints().apply(told, clock::now()) {
            health::tell(&self.members[index], Some(transition));
        }
    }

    /// Put the same of one endpoint into force.
    pub fn apply_one(&self, index: usize, live: &LiveUpstream) {
        let (member, plan) = (&self.members[index], &self.plan.endpoints[index]);
        let told = live.word(&plan.address).map(|word| word.over(plan));
        let told = told.as_ref().unwrap_or(plan);
        member.endpoint.set_weight(told.weight);
        let (health, duty) = (&member.endpoint.health, Duty::of(told));
        health::tell(member, health.configure(&self.plan.health, duty, clock::now()));
    }

    /// Mark the endpoints that are not in `after`: their idle connections are closed.
    pub fn retire(&self, after: Option<&Membership>) {
        let kept: HashSet<u64> =
            after.iter().flat_map(|after| &after.members).map(|member| member.id).collect();
        let gone = self.members.iter().filter(|member| !kept.contains(&member.id));
        gone.for_each(|member| member.retire());
    }
}

/// A member for each of `endpoints`; those that the one before reaches in the same way are the same ones.
fn build_members(
    name: &str,
    endpoints: &Endpoints,
    before: Option<Predecessor<'_>>,
    path: &str,
    accounts: &Accounts,
    issues: &mut Vec<Issue>,
) -> Vec<Arc<Member>> {
    let known: HashMap<&str, &Arc<Member>> = before
        .iter()
        .filter(|before| before.same_way)
        .flat_map(|before| &before.membership.members)
        .map(|member| (member.endpoint.address.as_str(), member))
        .collect();
    let name: Arc<str> = name.into();
    let mut members = Vec::with_capacity(endpoints.len());
    for (index, endpoint) in endpoints.iter().enumerate() {
        match known.get(endpoint.address.as_str()) {
            Some(&same) => members.push(same.clone()),
            None => match Member::new(endpoint, &name, accounts) {
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
