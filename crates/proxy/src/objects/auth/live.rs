//! Live values of authenticators that believe tokens: keys of identity providers, and revocations.
//!
//! They are no part of the configuration. They are kept here by the authenticator's name, whether there is such
//! an authenticator or not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tidegate_core::auth::jwt::{KeySet, Revocation, Revocations, Unusable, UnknownKeys};
use tokio::sync::Notify;

/// Authenticators that have live values.
const MOST: usize = 4_096;

/// The live values of all authenticators.
#[derive(Debug, Default)]
pub struct LiveTokens(Mutex<HashMap<String, Arc<LiveToken>>>);

/// The live values of one authenticator. What believes tokens has a handle, so that what is supplied is in force
/// at once.
#[derive(Debug, Default)]
pub struct LiveToken {
    keys: ArcSwapOption<SuppliedKeys>,
    revocations: ArcSwap<Revocations>,
    /// Another one after each change.
    generation: AtomicU64,
    /// What tokens ask for that no set has.
    pub unknown: Mutex<UnknownKeys>,
    /// Keys were supplied, be they new or not.
    pub supplied: Notify,
}

/// Keys of an identity provider, as they are supplied.
#[derive(Debug)]
pub struct SuppliedKeys {
    /// Where they are from, as the plan names it.
    pub source: String,
    /// When they were fetched, in seconds since 1970.
    pub fetched: f64,
    /// The keys.
    pub set: KeySet,
    /// Those that are left out.
    pub unusable: Vec<Unusable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Supply {
    source: String,
    fetched: f64,
    jwks: Value,
}

impl LiveTokens {
    /// Those of the authenticator of this name.
    ///
    /// # Errors
    /// If there are so many already.
    pub fn of(&self, authenticator: &str) -> Result<Arc<LiveToken>, String> {
        let mut all = self.0.lock();
        if let Some(live) = all.get(authenticator) {
            return Ok(live.clone());
        }
        // A name that is in no snapshot and for which nothing holds makes room.
        all.retain(|_, live| Arc::strong_count(live) > 1 || live.generation() > 0);
        if all.len() >= MOST {
            return Err(format!("{MOST} authenticators have live values already"));
        }
        let live = Arc::<LiveToken>::default();
        all.insert(authenticator.to_owned(), live.clone());
        Ok(live)
    }
}

impl LiveToken {
    /// Believe tokens by these keys.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed then.
    pub fn supply_keys(&self, value: &[u8]) -> Result<(), String> {
        let Supply { source, fetched, jwks } =
            serde_json::from_slice(value).map_err(|error| format!("the value is malformed: {error}"))?;
        let (set, unusable) = KeySet::from_jwks(&jwks)?;
        let before = self.keys.load_full();
        let is_same = before.is_some_and(|before| before.source == source && before.set == set);
        self.keys.store(Some(Arc::new(SuppliedKeys { source, fetched, set, unusable })));
        if !is_same {
            self.generation.fetch_add(1, SeqCst);
        }
        self.unknown.lock().answered();
        self.supplied.notify_waiters();
        Ok(())
    }

    /// Believe no tokens that these revoke.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed then.
    pub fn supply_revocations(&self, revocations: Vec<Revocation>) -> Result<(), String> {
        let most = Revocations::MOST;
        if revocations.len() > most {
            return Err(format!("an authenticator has at most {most} revocations"));
        }
        self.revocations.store(Arc::new(Revocations::new(revocations)));
        self.generation.fetch_add(1, SeqCst);
        Ok(())
    }

    /// The keys that were supplied from `source`.
    pub fn keys(&self, source: &str) -> Option<Arc<SuppliedKeys>> {
        self.keys.load_full().filter(|keys| keys.source == source)
    }

    /// The revocations that hold.
    pub fn revocations(&self) -> arc_swap::Guard<Arc<Revocations>> {
        self.revocations.load()
    }

    /// Another number after each change; read before what it is of.
    pub fn generation(&self) -> u64 {
        self.generation.load(SeqCst)
    }
}
