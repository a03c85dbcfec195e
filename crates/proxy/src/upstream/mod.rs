//! Upstreams as the workers use them.

pub mod admission;
mod affinity;
mod attempt;
mod client;
mod connect;
mod connection_slot;
mod fetch;
mod flight;
mod hash;
pub mod health;
mod hedge;
mod link;
mod member;
pub mod outbound;
mod pool;
pub mod probe;
mod report;
pub mod send;
pub mod tasks;

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::balance::{self, Balancer, Endpoints, Surroundings};
use tidegate_core::health::check as check_health;
use tidegate_core::plan::{self, Issue, Labels, UpstreamProtocol};
use tidegate_core::retry::{Allowance, Budget};

pub use member::Member;

use self::admission::Admission;
use crate::account::Accounts;
use crate::account::metrics::UpstreamMetrics;
use crate::net::{Address, clock};
use crate::tls::ClientTls;
use crate::tls::secret;

/// A group of endpoints that serve the same thing.
#[derive(Debug)]
pub struct Upstream {
    /// What was asked for.
    pub plan: Arc<plan::Upstream>,
    /// The gateway's own zone.
    pub zone: Option<Box<str>>,
    /// Picks among `members`, by index.
    pub balancer: Balancer,
    /// The endpoints.
    pub members: Vec<Arc<Member>>,
    /// The labels that routes ask for.
    pub subsets: Vec<Labels>,
    /// Its counts.
    pub metrics: Arc<UpstreamMetrics>,
    /// How the endpoints are checked, if they are.
    pub check: Option<health::Check>,
    /// What it is given at a time.
    pub admission: Arc<Admission>,
    /// What its requests earned in retries, through every reload.
    pub budget: Arc<Budget>,
    /// What they earn.
    pub allowance: Allowance,
    tls: Option<Arc<ClientTls>>,
}

/// What an upstream is built from.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'p> {
    /// The plan.
    pub plan: &'p Arc<plan::Upstream>,
    /// The gateway's own zone.
    pub zone: Option<&'p str>,
    /// The labels that routes ask for.
    pub subsets: &'p [Labels],
}

impl Upstream {
    /// Build what is `wanted`, whose place in the plan is `path`.
    ///
    /// Endpoints that `before` has by address keep their load, their health and, where they are reached in
    /// the same way, their connections.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn build(
        wanted: Wanted<'_>,
        before: Option<&Upstream>,
        path: &str,
        accounts: &Accounts,
    ) -> Result<Self, Vec<Issue>> {
        let Wanted { plan, zone, subsets } = wanted;
        let mut issues = balance::check(path, plan);
        issues.extend(check_health(&format!("{path}.health"), &plan.health));
        issues.extend(check_ports(path, plan));
        let secret = secret::of_process().map_or(&[][..], |secret| secret);
        if secret.is_empty() && plan.balance.sticky.is_some() {
            let wrong = "the system has no randomness to sign cookies with";
            issues.push(Issue::new(format!("{path}.balance.sticky"), wrong));
        }
        let same_way =
            before.filter(|b| b.plan.tls == plan.tls && b.plan.protocol == plan.protocol);
        let tls = build_tls(plan, same_way, path, &mut issues);
        let endpoints = Endpoints::new(plan, before.map(|b| b.balancer.endpoints()), clock::now());
        let members = build_members(plan, &endpoints, same_way, path, accounts, &mut issues);
        let allowance = Allowance::from(&plan.retry_budget);
        if !issues.is_empty() {
            return Err(issues);
        }
        Ok(Self {
            balancer: Balancer::within(plan, endpoints, Surroundings { zone, subsets, secret }),
            plan: plan.clone(),
            zone: zone.map(Into::into),
            subsets: subsets.to_vec(),
            members,
            metrics: accounts.metrics.upstream(&plan.name),
            check: health::Check::build(&plan.health),
            admission: match before {
                Some(before) => before.admission.clone(),
                None => Admission::new(&plan.limits),
            },
            budget: match before {
                Some(before) => before.budget.clone(),
                None => Arc::new(Budget::new(allowance, clock::now())),
            },
            allowance,
            tls,
        })
    }

    /// Whether an endpoint may say that it did not carry a request out: with HTTP/1 it cannot.
    pub fn may_refuse(&self) -> bool {
        match self.plan.protocol {
            UpstreamProtocol::Http1 => false,
            UpstreamProtocol::Http2 => true,
            UpstreamProtocol::Auto => self.tls.is_some(),
        }
    }

    /// Whether any endpoint is available.
    pub fn is_available(&self) -> bool {
        let now = clock::now();
        self.members.iter().any(|member| member.endpoint.health.available(now))
    }

    /// Put weights, duties, limits and health settings into force; called when the configuration is
    /// committed.
    pub fn apply(&self) {
        let now = clock::now();
        for (index, transition) in self.balancer.endpoints().apply(&self.plan, now) {
            health::tell(&self.members[index], Some(transition));
        }
        self.balancer.renew(now);
        self.admission.configure(&self.plan.limits, self.balancer.room());
    }
}

/// The TLS settings, or those of an upstream that is reached in the same way, with its sessions.
fn build_tls(
    plan: &plan::Upstream,
    same_way: Option<&Upstream>,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Option<Arc<ClientTls>> {
    if let Some(before) = same_way {
        return before.tls.clone();
    }
    let built = ClientTls::build(plan.tls.as_ref()?, plan.protocol, &format!("{path}.tls"));
    built.map_err(|more| issues.extend(more)).ok()
}

/// A member for each of `endpoints`; those of an upstream that is reached in the same way are the same ones.
fn build_members(
    plan: &plan::Upstream,
    endpoints: &Endpoints,
    same_way: Option<&Upstream>,
    path: &str,
    accounts: &Accounts,
    issues: &mut Vec<Issue>,
) -> Vec<Arc<Member>> {
    let known: HashMap<&str, &Arc<Member>> = same_way
        .iter()
        .flat_map(|before| &before.members)
        .map(|member| (member.endpoint.address.as_str(), member))
        .collect();
    let name: Arc<str> = plan.name.as_str().into();
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

/// A port for checks is no use to an endpoint that has none.
fn check_ports(path: &str, plan: &plan::Upstream) -> Option<Issue> {
    plan.health.port?;
    let is_unix = |endpoint: &plan::Endpoint| {
        matches!(Address::parse(&endpoint.address), Ok(Address::Unix(_)))
    };
    let index = plan.endpoints.iter().position(is_unix)?;
    let wrong = format!("endpoint {index} is a Unix socket, which has no port");
    Some(Issue::new(format!("{path}.health.port"), wrong))
}
