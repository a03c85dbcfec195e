//! Limits: what an upstream is given at a time, and which goes first.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timeout;

/// How important a request is where not all can be served.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Goes before all others and is shed last.
    High,
    /// In between.
    Normal,
    /// Waits for all others and is shed first.
    Low,
}

impl Priority {
    /// All classes, highest first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// Its name in the configuration, in header fields and in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// The class of this name.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.label().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// What an upstream is given at a time, over all workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamLimits {
    /// Requests in flight; absent: no fixed bound.
    pub requests: Option<NonZeroU32>,
    /// Requests in flight to one endpoint; absent: no bound.
    pub endpoint_requests: Option<NonZeroU32>,
    /// Requests that wait while as many as may be are in flight.
    pub pending: u32,
    /// Retries in flight; absent: no bound but the budget.
    pub retries: Option<NonZeroU32>,
    /// Open connections to all endpoints together; absent: no bound.
    pub connections: Option<NonZeroU32>,
    /// How long requests wait.
    pub queue: Queueing,
    /// A bound of the requests in flight that is found by measuring.
    pub adaptive: AdaptiveLimit,
}

/// How long requests wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queueing {
    /// The longest wait.
    pub timeout: Timeout,
    /// A wait that is too long where it lasts: then what waits longer is shed (CoDel's target).
    pub target: Timeout,
    /// For how long the wait must exceed the target before anybody is shed (CoDel's interval).
    pub interval: Timeout,
}

/// A bound of the requests in flight that is found by measuring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveLimit {
    /// Whether it is looked for.
    pub enabled: bool,
    /// It is never lower.
    pub minimum: NonZeroU32,
    /// It is never higher; absent: no bound.
    pub maximum: Option<NonZeroU32>,
}
