//! The plan: a validated configuration, as Python hands it over.
//!
//! Every type mirrors a model of `tidegate.config`, field by field (a contract
//! test compares the two schemas). Python fills in all defaults, turns durations
//! into milliseconds and sizes into bytes, and reads the files that the
//! configuration names; so nothing here has a default and an unknown field is
//! an error.

mod access;
mod authenticator;
pub(crate) mod cache;
mod certificate_auth;
mod cors;
mod csrf;
mod explain;
mod forward_auth;
mod health;
mod http3;
mod issue;
mod jwt;
mod limits;
mod listener;
mod narrow;
mod networks;
mod predict;
mod rate;
mod retry;
mod route;
mod security_headers;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod tunnel;
mod unit;
mod upstream;

pub use access::{Access, ClaimCondition, IdentityHeader, Lists, Requirement};
pub use authenticator::{ApiKey, Authenticator, Basic, Place};
pub use cache::{
    Cache, CacheAdmission, CacheCondition, CacheDisk, CacheDiskSize, CacheKey, CacheKeyQuery,
    CacheMemory, CachePurges, CacheSlice, CacheStale, CachedCookies, IgnoredField, MinUses,
    RequestDirectives, RouteCache, VaryComparison,
};
pub use certificate_auth::{CertificateAuth, CertificateMatch, CertificateSubject};
pub use cors::Cors;
pub use csrf::Csrf;
pub use explain::Explain;
pub use forward_auth::{ForwardAuth, ForwardFailure, ForwardMethod};
pub use health::{
    Deviations, Health, HealthBody, HealthGrpc, HealthHttp, HealthTcp, InitialHealth,
    LatencyFactor, LatencyOutlier, Outlier, Quorum, StatusRange, SuccessRateOutlier,
};
pub use http3::{AltSvc, Congestion, Http3, QuicRetry};
pub use issue::Issue;
pub use jwt::{Jwks, Jwt, RememberedTokens, TokenDepth, TokenNames, TokenSize};
pub use limits::{AdaptiveLimit, Priority, Queueing, UpstreamLimits};
pub use listener::{
    Certificate, ClientAuth, ClientAuthMode, HeadSize, HttpVersion, Listener, ListenerLimits,
    ListenerTimeouts, ListenerTls, TargetSize, TlsVersion, UnixSocket,
};
pub use narrow::{Labels, SameSite, SlowStart, SlowStartCurve, Sticky, SubsetFallback, ZoneAware};
pub use networks::Networks;
pub use predict::{ModelStage, ModelUse, Predict, PredictMode};
pub use rate::{
    Bandwidth, Ipv4Prefix, Ipv6Prefix, KeyPart, Keys, Missing, MostInFlight, Quota, Rate, RateCost,
    RateHeaders, RateLimit, RateMode, Window,
};
pub use retry::{
    Backoff, GrpcStatus, Hedge, HedgePercentile, Retry, RetryBudget, RetryOn, RetryRate,
};
pub use route::{
    FieldMatch, HeaderEdits, Mirror, PathMatch, Redirect, RedirectScheme, RedirectStatus,
    RegexRewrite, Respond, Rewrite, Route, RouteLimits, RouteMatch, RoutePriority, Split,
};
pub use security_headers::{Hsts, SecurityHeaders};
pub use store::{
    ColdWait, Database, Gateways, Lease, OnFailure, Sentinel, Store, SyncInterval, Valkey,
};
pub use tunnel::Tunnel;
pub use unit::{Millis, Percent, PositivePercent, Secret, Size, Status, Timeout};
pub use upstream::{
    Balance, BalancePolicy, Endpoint, HashKey, LoadBound, Pool, Prequal, PrequalPool,
    PrequalProbes, Probe, ProbeInterval, ProbeLimit, Reuse, Upstream, UpstreamProtocol,
    UpstreamTimeouts, UpstreamTls,
};

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unit::bounded;

/// Everything the engine needs to know to serve.
///
/// Plans that follow one another share what they have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name of this gateway in `Via` (RFC 9110 §7.6.3) and `Proxy-Status` (RFC 9209).
    pub name: String,
    /// The zone that this gateway runs in.
    pub zone: Option<String>,
    /// Number of worker threads. Read once, when the engine starts.
    pub workers: Workers,
    /// How long connections may take to finish when listeners close or the process stops.
    pub drain_timeout: Millis,
    /// Where and how requests are logged; absent: not at all.
    pub access_log: Option<AccessLog>,
    /// Which requests are remembered, to be explained.
    pub explain: Explain,
    /// Sockets that accept client connections.
    pub listeners: Vec<Arc<Listener>>,
    /// What is done with which request.
    pub routes: Vec<Arc<Route>>,
    /// Groups of endpoints that serve the same thing.
    pub upstreams: Vec<Arc<Upstream>>,
    /// How often requests may come; routes name them.
    pub rate_limits: Vec<Arc<RateLimit>>,
    /// How it is found out where requests come from; routes name them.
    pub authenticators: Vec<Arc<Authenticator>>,
    /// Where several gateways keep what they share.
    pub stores: Vec<Arc<Store>>,
    /// Where responses are stored; routes name them.
    pub caches: Vec<Arc<Cache>>,
}

bounded! {
    /// A number of worker threads.
    #[derive(Eq, Ord)]
    Workers: u32 from 1 to 1024
}

impl Workers {
    /// The number of threads that were started.
    pub fn started(count: usize) -> Self {
        u32::try_from(count).ok().and_then(Self::new).unwrap_or(Self::LOWEST)
    }
}

impl Plan {
    /// A plan of so many workers that serves nothing.
    pub fn empty(workers: usize) -> Self {
        Self {
            name: "tidegate".into(),
            zone: None,
            workers: Workers::started(workers),
            drain_timeout: Millis::LOWEST,
            access_log: None,
            explain: Explain {
                sample: Percent::LOWEST,
                keep: 0,
                slow: Millis::LOWEST,
                identities: false,
            },
            listeners: Vec::new(),
            routes: Vec::new(),
            upstreams: Vec::new(),
            rate_limits: Vec::new(),
            authenticators: Vec::new(),
            stores: Vec::new(),
            caches: Vec::new(),
        }
    }
}

/// The access log: one line per finished request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// Shape of a line.
    pub format: AccessLogFormat,
    /// A file's path; `-` is standard output.
    pub path: String,
    /// How subjects of identities are written.
    pub subjects: LoggedSubjects,
}

/// How the access log writes subjects of identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoggedSubjects {
    /// As they are.
    Plain,
    /// The first 16 hexadecimal digits of their SHA-256.
    Hashed,
    /// Not at all.
    None,
}

/// Shape of an access log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessLogFormat {
    /// One JSON object a line.
    Json,
    /// The combined log format of Apache and nginx.
    Combined,
}
