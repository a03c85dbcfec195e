//! Live values of authenticators: keys of identity providers, API keys, and revocations.
//!
//! They are no part of the configuration. They are kept here by the authenticator's name, whether there is such an
//! authenticator or not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tidegate_core::auth::ApiKeys;
use tidegate_core::auth::jwt::{KeySet, Revocation, Revocations, UnknownKeys, Unusable};
use tokio::sync::Notify;

use crate::net::clock;

/// Authenticators that have live values.
const MOST: usize = 4_096;

/// The live values of all authenticators.
#[derive(Debug, Default)]
pub struct LiveAuthenticators(Mutex<HashMap<String, Arc<LiveAuthenticator>>>);

/// The live values of one authenticator, of which its object has a handle: so what is supplied is in force at once.
#[derive(Debug, Default)]
pub struct LiveAuthenticator {
    keys: ArcSwapOption<SuppliedKeys>,
    api_keys: ArcSwap<ApiKeys>,
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

impl SuppliedKeys {
    /// Time since they were fetched.
    pub fn age(&self) -> Duration {
        let now = Duration::from_nanos(clock::unix_nanos());
        now.saturating_sub(Duration::try_from_secs_f64(self.fetched).unwrap_or_default())
    }
}

impl LiveAuthenticators {
    /// Those of the authenticator of this name.
    ///
    /// # Errors
    /// If there are so many already.
    pub fn of(&self, authenticator: &str) -> Result<Arc<LiveAuthenticator>, String> {
        let mut all = self.0.lock();
        if let Some(live) = all.get(authenticator) {
            return Ok(live.clone());
        }
        // A name that is in no snapshot and for which nothing holds makes room.
        all.retain(|_, live| Arc::strong_count(live) > 1 || live.generation() > 0);
        if all.len() >= MOST {
            return Err(format!("{MOST} authenticators have live values already"));
        }
        let live = Arc::<LiveAuthenticator>::default();
        all.insert(authenticator.to_owned(), live.clone());
        Ok(live)
    }
}

impl LiveAuthenticator {
    /// Believe tokens by these keys.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed then.
    pub fn supply_keys(&self, value: &[u8]) -> Result<(), String> {
        let Supply { source, fetched, jwks } = serde_json::from_slice(value)
            .map_err(|error| format!("the value is malformed: {error}"))?;
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

    /// Believe these API keys beside those of a file: the text is like that of one.
    ///
    /// # Errors
    /// What is wrong with them; nothing has changed then.
    pub fn supply_api_keys(&self, authenticator: &str, value: &[u8]) -> Result<(), String> {
        let text = str::from_utf8(value).map_err(|_| "a list of API keys is text in UTF-8")?;
        let keys =
            ApiKeys::read(&Arc::from(authenticator), text).map_err(|wrong| wrong.join("; "))?;
        self.api_keys.store(Arc::new(keys));
        self.generation.fetch_add(1, SeqCst);
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

    /// The API keys beside those of a file.
    pub fn api_keys(&self) -> arc_swap::Guard<Arc<ApiKeys>> {
        self.api_keys.load()
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_cannot_be_used_leave_those_of_before() {
        let live = LiveAuthenticator::default();
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        let value = format!(r#"{{"source":"s","fetched":1,"jwks":{{"keys":[{jwk}]}}}}"#);
        live.supply_keys(value.as_bytes()).unwrap();
        for wrong in ["", "{}", r#"{"source":"s","fetched":2,"jwks":{"keys":[]}}"#] {
            assert!(live.supply_keys(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(live.keys("s").unwrap().fetched, 1.0);
        assert!(live.keys("other").is_none());
        assert_eq!(live.generation(), 1);
    }

    #[test]
    fn so_many_authenticators_have_live_values_and_no_more() {
        let all = LiveAuthenticators::default();
        let kept: Vec<_> = (0..MOST).map(|name| all.of(&name.to_string()).unwrap()).collect();
        assert!(all.of("more").is_err());
        assert!(Arc::ptr_eq(&all.of("0").unwrap(), &kept[0]));
        drop(kept);
        assert!(all.of("more").is_ok(), "names of which nothing is known make room");
    }
}
