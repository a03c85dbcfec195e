//! Authenticators as they are at this moment, for people and the admin API.

use std::sync::Arc;

use serde::Serialize;

use super::Engine;
use crate::objects::auth::Authenticator;

/// An authenticator.
#[derive(Debug, Serialize)]
pub struct AuthenticatorStatus {
    /// Its name.
    pub name: String,
    /// Its kind, as its option is called.
    pub kind: &'static str,
}

impl Engine {
    /// All authenticators, in the plan's order.
    pub(super) fn authenticators(&self) -> Vec<AuthenticatorStatus> {
        let status = |each: &Arc<Authenticator>| AuthenticatorStatus {
            name: each.plan.name.clone(),
            kind: each.kind(),
        };
        self.snapshot().authenticators.iter().map(status).collect()
    }
}
