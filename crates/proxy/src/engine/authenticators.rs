//! Authenticators as they are at this moment, for people and the admin API.

use std::sync::Arc;

use serde::Serialize;
use tidegate_core::auth::jwt::Unusable;

use super::Engine;
use crate::objects::auth::Authenticator;
use crate::objects::auth::live::SuppliedKeys;

/// An authenticator.
#[derive(Debug, Serialize)]
pub struct AuthenticatorStatus {
    /// Its name.
    pub name: String,
    /// Its kind, as its option is called.
    pub kind: &'static str,
    /// The keys that it has from an identity provider; null: it has none from there.
    pub keys: Option<KeysStatus>,
}

/// Keys of an identity provider.
#[derive(Debug, Serialize)]
pub struct KeysStatus {
    /// Time since they were fetched.
    pub age_seconds: f64,
    /// Their names; null for a key without one.
    pub kids: Vec<Option<String>>,
    /// Those that are of no use, with the reasons.
    pub unusable: Vec<Unusable>,
}

impl KeysStatus {
    fn of(keys: &SuppliedKeys) -> Self {
        Self {
            age_seconds: keys.age().as_secs_f64(),
            kids: keys.set.names().map(|kid| kid.map(str::to_owned)).collect(),
            unusable: keys.unusable.clone(),
        }
    }
}

impl Engine {
    /// All authenticators, in the plan's order.
    pub(super) fn authenticators(&self) -> Vec<AuthenticatorStatus> {
        let status = |each: &Arc<Authenticator>| AuthenticatorStatus {
            name: each.plan.name.clone(),
            kind: each.kind(),
            keys: each.supplied_keys().map(|keys| KeysStatus::of(&keys)),
        };
        self.snapshot().authenticators.iter().map(status).collect()
    }
}
