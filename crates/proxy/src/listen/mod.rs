//! Listeners: sockets, and what may come in through them.

mod accept;
pub mod client;
mod clients;
mod connection;
pub mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use tidegate_core::plan::{self, Issue};

pub use accept::accept;
pub use socket::ListenSocket;

use crate::http::h1::HeadLimits;
use crate::telemetry::metrics::{ListenerMetrics, Metrics};
use crate::tls::ServerTls;
use crate::upstream::Address;
use clients::Clients;

/// A listener, shared by all workers. It lives as long as its name and address stay.
#[derive(Debug)]
pub struct Listener {
    /// Unique for the life of the process.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// What new connections are served by.
    pub settings: ArcSwap<Settings>,
    /// Its counts.
    pub metrics: Arc<ListenerMetrics>,
    /// Open connections.
    pub open: AtomicU32,
    clients: Clients,
}

/// What a connection is served by, for as long as it lives.
#[derive(Debug)]
pub struct Settings {
    /// What was asked for.
    pub plan: plan::Listener,
    /// Limits on a request's head.
    pub head_limits: HeadLimits,
    /// TLS, where it is spoken.
    pub tls: Option<Arc<ServerTls>>,
}

impl Settings {
    /// Build what `plan` asks for; `before` is what the listener of the same name has now.
    ///
    /// # Errors
    /// Everything that is wrong with its TLS part.
    pub fn build(
        plan: &plan::Listener,
        before: Option<&Arc<Settings>>,
        path: &str,
    ) -> Result<Arc<Self>, Vec<Issue>> {
        if let Some(same) = before.filter(|before| before.plan == *plan) {
            return Ok(same.clone());
        }
        let limits = &plan.limits;
        let tls = match (&plan.tls, before.and_then(|before| before.tls.as_ref())) {
            (None, _) => None,
            (Some(wanted), Some(now)) => {
                let before = before.map(|before| &before.plan);
                let same = before.is_some_and(|b| {
                    b.tls.as_ref() == Some(wanted) && b.protocols == plan.protocols
                });
                match same {
                    true => Some(now.clone()),
                    false => Some(now.rebuild(wanted, &plan.protocols, &format!("{path}.tls"))?),
                }
            }
            (Some(wanted), None) => {
                Some(ServerTls::build(wanted, &plan.protocols, &format!("{path}.tls"))?)
            }
        };
        let head_limits = HeadLimits {
            bytes: limits.header_bytes.bytes(),
            fields: limits.header_count.get() as usize,
            target: limits.uri_length.bytes(),
        };
        Ok(Arc::new(Self { plan: plan.clone(), head_limits, tls }))
    }
}

impl Listener {
    /// A listener that is not known yet.
    pub fn new(
        plan: &plan::Listener,
        address: Address,
        settings: Arc<Settings>,
        metrics: &Metrics,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Relaxed),
            name: plan.name.clone(),
            address,
            settings: ArcSwap::new(settings),
            metrics: metrics.listener(&plan.name),
            open: AtomicU32::new(0),
            clients: Clients::default(),
        })
    }
}
