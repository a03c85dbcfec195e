//! Upstreams as the workers use them.

mod address;
pub mod admission;
mod attempt;
mod client;
pub mod connect;
pub mod flight;
mod hash;
pub mod health;
mod hedge;
mod link;
mod member;
pub mod pool;
pub mod probe;
mod report;
pub mod send;
mod session;
pub mod tasks;

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::balance::{self, Balancer, Endpoints, Surroundings};
use tidegate_core::health::check as check_health;
use tidegate_core::plan::{self, Issue, Labels, UpstreamProtocol};
use tidegate_core::retry::{Allowance, Budget};

pub use address::Address;
pub use member::Member;

use self::admission::Admission;
use crate::clock;
use crate::secret;
use crate::telemetry::metrics::{Metrics, UpstreamMetrics};
use crate::tls::ClientTls;

/// A group of endpoints that serve the same thing.
#[derive(Debug)]
pub struct Upstream {
    /// What was asked for.
    pub plan: plan::Upstream,
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

impl Upstream {
    /// Build what `plan`, whose place is `path`, asks for, in a gateway of `zone` whose routes ask for `subsets`.
    ///
    /// Endpoints that `before` has by address keep their load, their health and, where they are reached in
    /// the same way, their connections.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn build(
        plan: &plan::Upstream,
        before: Option<&Upstream>,
        path: &str,
        zone: Option<&str>,
        subsets: &[Labels],
        metrics: &Metrics,
    ) -> Result<Self, Vec<Issue>> {
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
        let members = build_members(plan, &endpoints, same_way, path, metrics, &mut issues);
        let allowance =
            Allowance::build(&plan.retry_budget, &format!("{path}.retry_budget"), &mut issues);
        if !issues.is_empty() {
            return Err(issues);
        }
        Ok(Self {
            balancer: Balancer::within(plan, endpoints, Surroundings { zone, subsets, secret }),
            plan: plan.clone(),
            subsets: subsets.to_vec(),
            members,
            metrics: metrics.upstream(&plan.name),
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
    metrics: &Metrics,
    issues: &mut Vec<Issue>,
) -> Vec<Arc<Member>> {
    let known: HashMap<&str, &Arc<Member>> = same_way
        .iter()
        .flat_map(|before| &before.members)
        .map(|member| (member.endpoint.address.as_str(), member))
        .collect();
    let name: Arc<str> = plan.name.as_str().into();
    let group = metrics.upstream(&plan.name);
    let mut members = Vec::with_capacity(endpoints.len());
    for (index, endpoint) in endpoints.iter().enumerate() {
        match known.get(endpoint.address.as_str()) {
            Some(&same) => members.push(same.clone()),
            None => match Member::new(endpoint, &name, &group, metrics) {
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
