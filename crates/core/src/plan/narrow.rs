//! Narrowing: which endpoints a policy chooses from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Millis, PositivePercent, Secret, Timeout};

/// Names and values that endpoints carry and routes ask for.
pub type Labels = BTreeMap<String, String>;

/// Preference for endpoints in the gateway's own zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneAware {
    /// With fewer available endpoints than this, zones are not looked at.
    pub minimum_endpoints: u32,
}

/// Where requests go that ask for labels which no available endpoint carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubsetFallback {
    /// To any endpoint of the upstream.
    Any,
    /// Nowhere else.
    None,
}

/// A cookie that keeps a client with its endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sticky {
    /// Its name.
    pub cookie: String,
    /// How long the client keeps it; absent: until the client's session ends.
    pub ttl: Option<Millis>,
    /// The path that it is sent for.
    pub path: String,
    /// Whether it is sent over TLS only.
    pub secure: bool,
    /// Whether it is hidden from scripts.
    pub http_only: bool,
    /// Whether it is sent with requests that other sites cause.
    pub same_site: SameSite,
    /// What it is signed with; absent: a random secret of this process.
    pub secret: Option<Secret>,
}

/// Which requests that other sites cause carry a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// None.
    Strict,
    /// Navigation.
    Lax,
    /// All; browsers want the cookie to be `secure` then.
    None,
}

/// The growing share of an endpoint that is new or has recovered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowStart {
    /// How long it takes to the whole weight.
    pub window: Timeout,
    /// How the weight grows.
    pub curve: SlowStartCurve,
    /// Percent of its weight that an endpoint begins with.
    pub min_weight_percent: PositivePercent,
}

/// How a weight grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlowStartCurve {
    /// With the time.
    Linear,
    /// With the square root of the time: quickly at first.
    Aggressive,
}
