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
pub mod pool;
pub mod probe;
mod report;
pub mod send;
mod session;
pub mod tasks;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tidegate_core::balance::{self, Balancer, Endpoint, Endpoints, Surroundings};
use tidegate_core::health::check as check_health;
use tidegate_core::plan::{self, Issue, Labels, UpstreamProtocol};
use tidegate_core::retry::{Allowance, Budget};

pub use address::Address;

use self::admission::Admission;

use crate::clock;
use crate::secret;
use crate::telemetry::metrics::{EndpointMetrics, Metrics, UpstreamMetrics};
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

/// An endpoint and how it is reached; the identity of its connections.
#[derive(Debug)]
pub struct Member {
    /// Unique for the life of the process.
    pub id: u64,
    /// Its load and health, which all workers share.
    pub endpoint: Arc<Endpoint>,
    /// Where it is.
    pub address: Address,
    /// Its counts.
    pub metrics: Arc<EndpointMetrics>,
    /// Its upstream's name.
    pub upstream: Arc<str>,
    /// Its upstream's counts.
    pub group: Arc<UpstreamMetrics>,
    retired: AtomicBool,
}

impl Member {
    /// Unique for the life of the process.
    fn next_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Relaxed)
    }

    /// Mark it as no longer part of the configuration: its idle connections are closed.
    pub fn retire(&self) {
        self.retired.store(true, Relaxed);
    }

    /// Whether its connections are to be closed once they are idle: it is no longer part of the
    /// configuration, or out of service.
    pub fn is_leaving(&self) -> bool {
        self.retired.load(Relaxed) || !self.endpoint.health.state().is_in_service()
    }
}

impl Upstream {
    /// Build what `plan` asks for, in a gateway of `zone` whose routes ask for `subsets`. Endpoints that `before` has by address keep their load, their
    /// health and, where they are reached in the same way, their connections.
    pub fn build(
        plan: &plan::Upstream,
        before: Option<&Upstream>,
        path: &str,
        zone: Option<&str>,
        subsets: &[Labels],
        metrics: &Metrics,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = balance::check(path, plan);
        let secret = secret::of_process().map_or(&[][..], |secret| secret);
        if secret.is_empty() && plan.balance.sticky.is_some() {
            let wrong = "the system has no randomness to sign cookies with";
            issues.push(Issue::new(format!("{path}.balance.sticky"), wrong));
        }
        issues.extend(check_health(&format!("{path}.health"), &plan.health));
        let same_way =
            before.filter(|b| b.plan.tls == plan.tls && b.plan.protocol == plan.protocol);
        let tls = match (&plan.tls, same_way) {
            (None, _) => None,
            (Some(_), Some(before)) => before.tls.clone(),
            (Some(tls), None) => {
                match ClientTls::build(tls, plan.protocol, &format!("{path}.tls")) {
                    Ok(tls) => Some(tls),
                    Err(more) => {
                        issues.extend(more);
                        None
                    }
                }
            }
        };
        let known: HashMap<&str, &Arc<Member>> = same_way
            .iter()
            .flat_map(|before| &before.members)
            .map(|member| (member.endpoint.address.as_str(), member))
            .collect();
        let endpoints = Endpoints::new(plan, before.map(|b| b.balancer.endpoints()), clock::now());
        let mut members = Vec::with_capacity(endpoints.len());
        let name: Arc<str> = plan.name.as_str().into();
        let group = metrics.upstream(&plan.name);
        for (index, endpoint) in endpoints.iter().enumerate() {
            match (known.get(endpoint.address.as_str()), Address::parse(&endpoint.address)) {
                (Some(&member), _) => members.push(member.clone()),
                (None, Ok(address)) => members.push(Arc::new(Member {
                    id: Member::next_id(),
                    endpoint: endpoint.clone(),
                    address,
                    metrics: metrics.endpoint(&plan.name, &endpoint.address),
                    upstream: name.clone(),
                    group: group.clone(),
                    retired: AtomicBool::new(false),
                })),
                (None, Err(message)) => {
                    issues.push(Issue::new(format!("{path}.endpoints.{index}.address"), message));
                }
            }
        }
        let allowance =
            Allowance::build(&plan.retry_budget, &format!("{path}.retry_budget"), &mut issues);
        let budget = match before {
            Some(before) => before.budget.clone(),
            None => Arc::new(Budget::new(allowance, clock::now())),
        };
        let unix = members.iter().position(|member| matches!(member.address, Address::Unix(_)));
        if let (Some(index), Some(_)) = (unix, plan.health.port) {
            let wrong = format!("endpoint {index} is a Unix socket, which has no port");
            issues.push(Issue::new(format!("{path}.health.port"), wrong));
        }
        if issues.is_empty() {
            let around = Surroundings { zone, subsets, secret };
            Ok(Self {
                balancer: Balancer::within(plan, endpoints, around),
                plan: plan.clone(),
                subsets: subsets.to_vec(),
                members,
                metrics: group,
                check: health::Check::build(&plan.health),
                admission: before.map_or_else(
                    || Admission::new(&plan.limits),
                    |before| before.admission.clone(),
                ),
                budget,
                allowance,
                tls,
            })
        } else {
            Err(issues)
        }
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
        self.admission.configure(&self.plan.limits);
        for (index, transition) in self.balancer.endpoints().apply(&self.plan, clock::now()) {
            health::tell(&self.members[index], Some(transition));
        }
    }
}
