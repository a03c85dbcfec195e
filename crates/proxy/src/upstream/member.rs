//! An endpoint as connections see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tidegate_core::balance::Endpoint;
use tidegate_core::health::{State, Transition};

use crate::account::Accounts;
use crate::account::metrics::{EndpointMetrics, UpstreamMetrics};
use crate::account::outbox::{Notice, Outbox};
use crate::net::Address;

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
    /// Where changes of its health are told.
    pub outbox: Arc<Outbox>,
    retired: AtomicBool,
}

impl Member {
    /// `endpoint` of the upstream of this name.
    ///
    /// # Errors
    /// What is wrong with its address.
    pub fn new(
        endpoint: &Arc<Endpoint>,
        upstream: &Arc<str>,
        accounts: &Accounts,
    ) -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: NEXT.fetch_add(1, Relaxed),
            address: Address::parse(&endpoint.address)?,
            metrics: accounts.metrics.endpoint(upstream, &endpoint.address),
            endpoint: endpoint.clone(),
            upstream: upstream.clone(),
            group: accounts.metrics.upstream(upstream),
            outbox: accounts.outbox.clone(),
            retired: AtomicBool::new(false),
        })
    }

    /// Log, count and tell a change of its health, if there is one.
    pub fn health_changed(&self, transition: Option<Transition>) {
        let Some(Transition { from, to, cause, .. }) = transition else { return };
        self.group.health.changed(to);
        let (upstream, endpoint) = (&*self.upstream, &self.endpoint.address);
        let (from, to_label) = (from.label(), to.label());
        self.outbox.tell(Notice::HealthChanged {
            upstream: upstream.to_owned(),
            endpoint: endpoint.clone(),
            from,
            to: to_label,
            cause: cause.to_string(),
        });
        match to {
            State::Healthy | State::Draining | State::Maintenance => {
                tracing::info!(upstream, endpoint, from, to = to_label, %cause, "endpoint health changed");
            }
            State::Resting | State::Ejected | State::Unhealthy => {
                tracing::warn!(upstream, endpoint, from, to = to_label, %cause, "endpoint health changed");
            }
        }
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
