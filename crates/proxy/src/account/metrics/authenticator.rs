//! What is counted of authenticators.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::auth::Refusal;

use super::histogram::{Histogram, HistogramTotal, histogram};
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, Sharded};

/// What an authenticator made of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthResult {
    /// It proved where the request comes from.
    Ok,
    /// It had proved that a while ago, and still knew it.
    Cached,
    /// The request carried no credential of its kind.
    Missing,
    /// The credential was wrong.
    Invalid,
    /// Its time was over.
    Expired,
    /// It named a key that is not known.
    UnknownKey,
    /// It was revoked.
    Revoked,
    /// It could not be checked.
    Unavailable,
}

impl AuthResult {
    const ALL: [Self; 8] = [
        Self::Ok,
        Self::Cached,
        Self::Missing,
        Self::Invalid,
        Self::Expired,
        Self::UnknownKey,
        Self::Revoked,
        Self::Unavailable,
    ];

    /// What a refusal is.
    pub const fn of(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(_) => Self::Invalid,
            Refusal::Expired => Self::Expired,
            Refusal::UnknownKey => Self::UnknownKey,
            Refusal::Revoked => Self::Revoked,
            Refusal::Unavailable => Self::Unavailable,
        }
    }

    /// As metrics and explanations call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cached => "cached",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::UnknownKey => "unknown_key",
            Self::Revoked => "revoked",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Counts of one authenticator.
#[derive(Debug)]
pub struct AuthenticatorMetrics {
    name: Box<str>,
    results: Sharded<[Counter; AuthResult::ALL.len()]>,
    took: Sharded<Histogram>,
}

impl AuthenticatorMetrics {
    pub(super) fn new(name: &str, workers: usize) -> Self {
        Self { name: name.into(), results: Sharded::new(workers), took: Sharded::new(workers) }
    }

    /// Counts what the authenticator made of a request.
    pub fn said(&self, worker: usize, result: AuthResult) {
        self.results.of(worker)[result as usize].add(1);
    }

    /// Counts how long a request waited for it.
    pub fn took(&self, worker: usize, took: Duration) {
        self.took.of(worker).observe(took);
    }
}

/// What is counted of authenticators.
pub(super) fn families(page: &mut Exposition, authenticators: &[Arc<AuthenticatorMetrics>]) {
    let mut family = page.family(
        "tidegate_auth_total",
        Kind::Counter,
        "Requests by what an authenticator made of them.",
    );
    for each in authenticators {
        for result in AuthResult::ALL {
            let count = each.results.sum(|results| &results[result as usize]);
            family.sample(&[("authenticator", &each.name), ("result", result.label())], count);
        }
    }
    let mut family = page.family(
        "tidegate_auth_seconds",
        Kind::Histogram,
        "Time that requests waited for an authenticator that could not decide at once.",
    );
    for each in authenticators {
        let mut total = HistogramTotal::default();
        each.took.used().for_each(|part| total.add(part));
        histogram(&mut family, &[("authenticator", &each.name)], &total);
    }
}
