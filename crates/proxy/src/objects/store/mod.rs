//! A store: where several gateways keep what they share.

mod address;
mod limits;
mod link;
mod session;
mod state;
pub mod stream;
pub mod sync;
mod words;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

use rustls::ClientConfig;
use tidegate_core::plan::{self, Issue, UpstreamProtocol};
use tokio::sync::Notify;

pub use self::limits::Limits;
pub use self::link::Trouble;
pub use self::state::StoreState;

use self::address::Addresses;
use super::keeper::{Object, is_same};
use crate::account::metrics::{Metrics, StoreMetrics};
use crate::tls::ClientTls;

/// What this process is called where gateways share something.
pub static GATEWAY: LazyLock<String> =
    LazyLock::new(|| format!("{:016x}", RandomState::new().hash_one(0u8)));

/// A store that rate limits and caches name.
#[derive(Debug)]
pub struct Store {
    /// What was asked for.
    pub plan: Arc<plan::Store>,
    /// How it is.
    pub state: StoreState,
    /// Its counts.
    pub metrics: Arc<StoreMetrics>,
    /// Requests that wait for a word on their keys are woken by each answer.
    pub answered: Arc<Notify>,
    addresses: Addresses,
    tls: Option<(Arc<ClientTls>, Arc<ClientConfig>)>,
}

impl Store {
    /// The store that `plan`, whose option stands at `at`, asks for.
    ///
    /// # Errors
    /// Everything that is wrong with the plan.
    pub fn build(plan: &Arc<plan::Store>, at: &str, metrics: &Metrics) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let at = format!("{at}.valkey");
        let addresses = Addresses::read(&plan.valkey, &at, &mut issues);
        let tls = plan.valkey.tls.as_ref().map(|tls| {
            ClientTls::build(tls, UpstreamProtocol::Http1, &format!("{at}.tls"))
                .map_err(|more| issues.extend(more))
                .ok()
        });
        let (Some(addresses), true) = (addresses, issues.is_empty()) else { return Err(issues) };
        let tls = tls.flatten().map(|tls| {
            // What is spoken is no HTTP, which ALPN would ask for.
            let mut config = ClientConfig::clone(tls.config(true));
            config.alpn_protocols.clear();
            (tls, Arc::new(config))
        });
        Ok(Self {
            state: StoreState::default(),
            metrics: metrics.store(&plan.name),
            answered: Arc::default(),
            addresses,
            tls,
            plan: plan.clone(),
        })
    }
}

impl Object for Store {
    type Plan<'p> = &'p Arc<plan::Store>;

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn is_of(&self, plan: &&Arc<plan::Store>) -> bool {
        is_same(&self.plan, plan)
    }
}
