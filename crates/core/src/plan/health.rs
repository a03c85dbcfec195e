//! How it is found out which endpoints are well.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::bounded;
use super::{Percent, Timeout};

/// How it is found out which endpoints are well. At most one kind of check is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Check by an HTTP request.
    pub http: Option<HealthHttp>,
    /// Check by a connection, TLS included where the upstream has it.
    pub tcp: Option<HealthTcp>,
    /// Check by the gRPC health protocol, version 1.
    pub grpc: Option<HealthGrpc>,
    /// Port that is checked; absent: the endpoint's own.
    pub port: Option<NonZeroU16>,
    /// Time between two checks of an endpoint.
    pub interval: Timeout,
    /// The same while its last check failed or it is not well, where that is shorter.
    pub interval_down: Timeout,
    /// How long a check may take.
    pub timeout: Timeout,
    /// Passed checks in a row that make an endpoint well.
    pub rise: NonZeroU32,
    /// Failed checks in a row that make it ill.
    pub fall: NonZeroU32,
    /// What an endpoint is until it was checked.
    pub initial: InitialHealth,
    /// Whether a check uses the connection of the one before.
    pub reuse: bool,
    /// What real requests tell.
    pub outlier: Outlier,
    /// Percent of the upstream's weight that must be available; below it, requests go to all endpoints.
    pub panic_threshold: Percent,
}

impl Health {
    /// Whether there are checks.
    pub fn is_active(&self) -> bool {
        self.http.is_some() || self.tcp.is_some() || self.grpc.is_some()
    }
}

/// Check by an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthHttp {
    /// Request target.
    pub path: String,
    /// Request method.
    pub method: String,
    /// `Host` field; absent: the endpoint's address.
    pub host: Option<String>,
    /// Further fields of the request.
    pub headers: BTreeMap<String, String>,
    /// Status codes that pass.
    pub statuses: Vec<StatusRange>,
    /// What the response's body must hold; absent: anything.
    pub body: Option<HealthBody>,
}

/// What the first KiB of a body must hold: exactly one field is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthBody {
    /// This text.
    pub contains: Option<String>,
    /// A match of this regular expression.
    pub regex: Option<String>,
}

/// Check by a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthTcp {}

/// Check by the gRPC health protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthGrpc {
    /// The service that is asked for; empty: the server as a whole.
    pub service: String,
    /// `:authority` of the request; absent: the endpoint's address.
    pub host: Option<String>,
}

/// What an endpoint is until it was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InitialHealth {
    /// It gets requests until checks fail.
    Healthy,
    /// It gets none until its first check has passed.
    Unhealthy,
}

/// Status codes from the first to the last, both included; written as `200` or `200-399`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct StatusRange(pub RangeInclusive<u16>);

impl TryFrom<String> for StatusRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err(format!("`{text}` is neither a status code nor a range like 200-399")),
        }
    }
}

impl From<StatusRange> for String {
    fn from(StatusRange(range): StatusRange) -> Self {
        match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        }
    }
}

/// What real requests tell of an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outlier {
    /// Failed connects in a row after which an endpoint rests.
    pub connect_failures: NonZeroU32,
    /// Its first rest; each further one is twice as long.
    pub rest: Timeout,
    /// The longest rest.
    pub max_rest: Timeout,
    /// Gateway errors in a row (502, 503, 504, no or broken answers) that eject it; absent: none do.
    pub gateway_errors: Option<NonZeroU32>,
    /// Answers of 500 and above in a row that eject it; absent: none do.
    pub server_errors: Option<NonZeroU32>,
    /// Its first ejection; each further one is twice as long.
    pub ejection: Timeout,
    /// The longest ejection.
    pub max_ejection: Timeout,
    /// Percent of the upstream's endpoints that may be ejected at a time; one always may.
    pub max_ejected: Percent,
    /// How often endpoints are compared with each other; so long must one be well to be forgiven one ejection.
    pub interval: Timeout,
    /// Eject those that answer less often well than their peers; absent: never.
    pub success_rate: Option<SuccessRateOutlier>,
    /// Eject those that answer far more slowly than their peers; absent: never.
    pub latency: Option<LatencyOutlier>,
}

/// Which endpoints answer less often well than their peers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuccessRateOutlier {
    /// Standard deviations below the mean.
    pub deviations: Deviations,
    /// Requests within an interval below which an endpoint is not judged.
    pub requests: NonZeroU32,
    /// Endpoints with so many requests below which none is judged.
    pub endpoints: Quorum,
}

/// Which endpoints answer far more slowly than their peers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyOutlier {
    /// Multiple of the peers' median.
    pub factor: LatencyFactor,
    /// Requests within an interval below which an endpoint is not judged.
    pub requests: NonZeroU32,
    /// Endpoints with so many requests below which none is judged.
    pub endpoints: Quorum,
}

bounded! {
    /// A number of endpoints that suffices to compare them.
    #[derive(Eq, Ord)]
    Quorum: u32 from 3 to 4_294_967_295
}

bounded! {
    /// A number of standard deviations.
    Deviations: f64 above 0.0 to 100.0
}

bounded! {
    /// A multiple of the median latency.
    LatencyFactor: f64 from 1.5 to 1000.0
}
