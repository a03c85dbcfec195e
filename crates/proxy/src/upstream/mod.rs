//! Upstreams as the workers use them.

pub mod admission;
pub mod affinity;
mod announced;
mod attempt;
mod client;
mod connect;
mod connection_slot;
pub mod cost;
mod fetch;
mod flight;
mod foreseen;
mod hash;
pub mod health;
mod hedge;
mod learning;
mod link;
pub mod live;
mod member;
mod membership;
mod observation;
mod obtain;
pub mod outbound;
mod panic_mode;
mod pool;
mod prediction_decision;
mod predictions;
pub mod probe;
mod report;
pub mod send;
pub mod served_model;
pub mod tasks;
pub mod tries;
pub mod word;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tidegate_core::balance;
use tidegate_core::health::check as check_health;
use tidegate_core::plan::{self, Issue, Labels, UpstreamProtocol};
use tidegate_core::predict::Predictor;
use tidegate_core::retry::{Allowance, Budget};

pub use connect::dial;
pub use member::Member;
pub use membership::Membership;

use self::admission::Admission;
use self::live::LiveUpstream;
use self::membership::Predecessor;
use self::observation::Sampler;
use self::served_model::ServedModel;
use crate::account::Accounts;
use crate::account::metrics::UpstreamMetrics;
use crate::account::outbox::Outbox;
use crate::net::{Address, clock};
use crate::quic::ClientQuic;
use crate::tls::{ClientTls, secret};

/// A group of endpoints that serve the same thing.
#[derive(Debug)]
pub struct Upstream {
    /// Unique for the life of the process.
    pub id: u64,
    /// What was asked for.
    pub plan: Arc<plan::Upstream>,
    /// The gateway's own zone.
    pub zone: Option<Box<str>>,
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
    /// What predicts the cost of its requests, through every reload.
    pub predictor: Option<Arc<Predictor>>,
    /// The model that predicts beside it; absent: the plan names none, or it was not supplied.
    pub model: Arc<ArcSwapOption<ServedModel>>,
    sampler: Arc<Sampler>,
    /// Where is told what becomes of predictions.
    outbox: Arc<Outbox>,
    tls: Option<Arc<ClientTls>>,
    /// Where HTTP/3 is spoken.
    quic: Option<ClientQuic>,
    membership: ArcSwap<Membership>,
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
    /// What sources and operators say of its endpoints. It may change while the upstream lives.
    pub live: &'p LiveUpstream,
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
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let plan = wanted.plan;
        let mut issues = balance::check(path, plan);
        issues.extend(check_health(&format!("{path}.health"), &plan.health));
        issues.extend(check_unix(path, plan));
        if plan.balance.sticky.is_some() && secret::of_process().is_err() {
            let wrong = "the system has no randomness to sign cookies with";
            issues.push(Issue::new(format!("{path}.balance.sticky"), wrong));
        }
        let same_way = before.filter(|before| is_reached_alike(&before.plan, plan));
        let tls = build_tls(plan, same_way, path, &mut issues);
        let quic = build_quic(plan, tls.as_deref(), path, &mut issues);
        let known = before.map(|before| before.membership.load());
        let predecessor = known
            .as_ref()
            .map(|membership| Predecessor { membership, same_way: same_way.is_some() });
        let membership = Membership::build(wanted, predecessor, path, accounts, &mut issues);
        let allowance = Allowance::from(&plan.retry_budget);
        if !issues.is_empty() {
            return Err(issues);
        }
        let metrics = accounts.metrics.upstream(&plan.name);
        let sampler = Sampler { upstream: metrics.clone(), samples: accounts.samples.clone() };
        let model = before
            .and_then(|before| before.model.load_full())
            .and_then(|before| ServedModel::again(&before, plan.predict.model.as_ref(), accounts));
        Ok(Self {
            id: NEXT.fetch_add(1, Relaxed),
            plan: plan.clone(),
            zone: wanted.zone.map(Into::into),
            subsets: wanted.subsets.to_vec(),
            metrics,
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
            predictor: predictions::predictor(plan, before, wanted.live),
            model: Arc::new(ArcSwapOption::new(model)),
            sampler: Arc::new(sampler),
            outbox: accounts.outbox.clone(),
            tls,
            quic,
            membership: ArcSwap::from_pointee(membership),
        })
    }

    /// Its endpoints just now. To be held for longer than a moment, it is taken by
    /// [`Outbound::membership`](outbound::Outbound::membership) or [`ArcSwap::load_full`].
    pub fn membership(&self) -> Guard<Arc<Membership>> {
        self.membership.load()
    }

    /// Whether an endpoint may say that it did not carry a request out: with HTTP/1 it cannot.
    pub fn may_refuse(&self) -> bool {
        match self.plan.protocol {
            UpstreamProtocol::Http1 => false,
            UpstreamProtocol::Http2 | UpstreamProtocol::Http3 => true,
            UpstreamProtocol::Auto => self.tls.is_some(),
        }
    }

    /// Begin to serve in the place of `before`; called when the configuration is committed.
    pub fn begin(&self, live: &LiveUpstream, before: Option<&Upstream>, accounts: &Accounts) {
        if self.membership().version == live.version() {
            self.apply(live);
        } else if let Err(wrong) = self.renew(live, before.unwrap_or(self), accounts) {
            // They were supplied after it was prepared, and checked with its predecessor only.
            tracing::error!(upstream = self.plan.name, wrong, "live values do not hold");
            self.apply(live);
        }
    }

    /// Put weights, duties, limits and health settings into force, with what is `live`.
    fn apply(&self, live: &LiveUpstream) {
        let membership = self.membership();
        membership.apply(&live.over(&membership.plan));
        membership.renew_now(clock::now());
        // First, so that what is held back no more goes in.
        self.admission.hold_by(self.supply());
        self.admission.configure(&self.plan.limits, membership.balancer.room());
    }

    /// Take the live values, which changed, into force: build the endpoints anew beside those of `before`, which
    /// are its own ones or those of its predecessor.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed then.
    pub fn renew(
        &self,
        live: &LiveUpstream,
        before: &Upstream,
        accounts: &Accounts,
    ) -> Result<(), String> {
        let subsets = &self.subsets;
        let wanted = Wanted { plan: &self.plan, zone: self.zone.as_deref(), subsets, live };
        let known = before.membership.load_full();
        let same_way = is_reached_alike(&before.plan, &self.plan);
        let predecessor = Predecessor { membership: &known, same_way };
        let (path, mut issues) = (format!("upstream {}", self.plan.name), Vec::new());
        let membership = Membership::build(wanted, Some(predecessor), &path, accounts, &mut issues);
        issues.extend(check_unix(&path, &membership.plan));
        if let Some(issue) = issues.first() {
            return Err(issue.to_string());
        }
        let replaced = self.membership.swap(Arc::new(membership));
        self.apply(live);
        replaced.give_way(Some(&self.membership()));
        Ok(())
    }
}

/// Whether the connections of one serve the other.
fn is_reached_alike(one: &plan::Upstream, other: &plan::Upstream) -> bool {
    one.tls == other.tls && one.protocol == other.protocol && one.http3 == other.http3
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

/// What HTTP/3 is spoken over, where it is.
fn build_quic(
    plan: &plan::Upstream,
    tls: Option<&ClientTls>,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Option<ClientQuic> {
    let option = match (plan.protocol, plan.http3) {
        (UpstreamProtocol::Http3, false) => "protocol",
        (_, true) => "http3",
        (_, false) => return None,
    };
    let mut wrong = |what: &str| issues.push(Issue::new(format!("{path}.{option}"), what));
    if plan.http3 && plan.protocol != UpstreamProtocol::Auto {
        wrong("is an option of `protocol: auto`, which finds out what endpoints speak");
    }
    if plan.tls.is_none() {
        wrong("HTTP/3 needs `tls`: there is none in plain text");
    }
    let built = ClientQuic::build(tls?, &plan.timeouts, &format!("{path}.tls"));
    built.map_err(|issue| issues.push(issue)).ok()
}

/// What a Unix socket cannot do: it has no port for checks, and carries no QUIC.
fn check_unix(path: &str, plan: &plan::Upstream) -> Option<Issue> {
    let (option, lacks) = match (plan.health.port, plan.protocol) {
        (Some(_), _) => ("health.port", "has no port"),
        (None, UpstreamProtocol::Http3) => ("protocol", "carries no HTTP/3"),
        (None, _) => return None,
    };
    let is_unix = |endpoint: &plan::Endpoint| {
        matches!(Address::parse(&endpoint.address), Ok(Address::Unix(_)))
    };
    let index = plan.endpoints.iter().position(is_unix)?;
    let wrong = format!("endpoint {index} is a Unix socket, which {lacks}");
    Some(Issue::new(format!("{path}.{option}"), wrong))
}
