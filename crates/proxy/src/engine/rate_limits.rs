//! Rate limits as they are at this moment, for people and the admin API.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_core::rate::{Heaviest, Service};

use super::Engine;
use crate::net::clock;
use crate::objects::keeper::Object;
use crate::objects::rate::RateLimit;

/// A rate limit.
#[derive(Debug, Serialize)]
pub struct RateLimitStatus {
    /// Its name.
    pub name: String,
    /// Keys that have spent something that is not back yet.
    pub keys: u64,
    /// Requests that wait for their turn.
    pub waiting: u32,
    /// Keys that were forgotten before all that they had spent was back, for want of room.
    pub evictions: u64,
}

/// What one key of a rate limit has left of a window.
#[derive(Debug, Serialize)]
pub struct KeyStatus {
    /// The window, as clients are told of it.
    pub window: String,
    /// Units that are left.
    pub left: u64,
    /// Seconds until all are back.
    pub full_in_seconds: f64,
}

/// A key of a rate limit that many requests have.
#[derive(Debug, Serialize)]
pub struct HeavyKey {
    /// What it is made of; null for what its requests lack.
    pub parts: Vec<Option<String>>,
    /// Requests that had it, about; never too few.
    pub requests: u64,
    /// How many too many these are at most.
    pub at_most_too_many: u64,
}

/// A key of a rate limit, by what its parts are; those that are absent are missing from its requests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyQuestion {
    /// The limit.
    pub limit: String,
    /// The parts, in the order of the limit's.
    pub parts: Vec<Option<String>>,
}

impl Engine {
    /// All rate limits, in the plan's order.
    pub(super) fn rate_limits(&self) -> Vec<RateLimitStatus> {
        let now = clock::now();
        let status = |limit: &Arc<RateLimit>| RateLimitStatus {
            name: limit.plan.name.clone(),
            keys: limit.limit.live_keys(now),
            waiting: limit.waiting(),
            evictions: limit.limit.evictions(),
        };
        self.snapshot().rate_limits.iter().map(status).collect()
    }

    /// What a key has left, by window; `None` if there is no such limit.
    ///
    /// # Errors
    /// If the limit's keys are made of other parts.
    pub(super) fn rate_limit_key(
        &self,
        asked: &KeyQuestion,
    ) -> Result<Option<Vec<KeyStatus>>, String> {
        let Some(limit) = self.rate_limit(&asked.limit) else { return Ok(None) };
        let key = limit.named_key(&asked.parts)?;
        let status = |service: Service<'_>| KeyStatus {
            window: service.policy.name().to_owned(),
            left: service.left,
            full_in_seconds: service.until_full().as_secs_f64(),
        };
        Ok(Some(limit.limit.services(key, clock::now()).map(status).collect()))
    }

    /// The keys of a rate limit with the most requests, the heaviest first; `None` if there is no such limit.
    ///
    /// # Errors
    /// If it does not count them.
    pub(super) fn rate_limit_top(
        &self,
        limit: &str,
        count: usize,
    ) -> Result<Option<Vec<HeavyKey>>, String> {
        let Some(limit) = self.rate_limit(limit) else { return Ok(None) };
        let heaviest = limit.heaviest(count).ok_or_else(|| {
            format!("`{}` keeps no readable keys; say identities: true", limit.plan.name)
        })?;
        let shown = |Heaviest { parts, count, error, .. }| HeavyKey {
            parts,
            requests: count,
            at_most_too_many: error,
        };
        Ok(Some(heaviest.into_iter().map(shown).collect()))
    }

    /// Give a key a fresh bucket.
    ///
    /// # Errors
    /// If there is no such limit, or its keys are made of other parts.
    pub(super) fn forget_key(&self, limit: &str, parts: &[Option<String>]) -> Result<(), String> {
        let found =
            self.rate_limit(limit).ok_or_else(|| format!("there is no rate limit `{limit}`"))?;
        found.forget(parts, clock::now())
    }

    fn rate_limit(&self, name: &str) -> Option<Arc<RateLimit>> {
        self.snapshot().rate_limits.iter().find(|limit| limit.name() == name).cloned()
    }
}
