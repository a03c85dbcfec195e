//! Upstreams: groups of endpoints that serve the same thing.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::bounded;
use super::{
    Health, Labels, Millis, Percent, PositivePercent, Predict, RetryBudget, Secret, SlowStart,
    Sticky, SubsetFallback, Timeout, UpstreamLimits, ZoneAware,
};

/// A group of endpoints that serve the same thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Unique name; the identity that survives a reload.
    pub name: String,
    /// How an endpoint is picked.
    pub balance: Balance,
    /// The members.
    pub endpoints: Vec<Endpoint>,
    /// Version of HTTP spoken to the endpoints.
    pub protocol: UpstreamProtocol,
    /// `auto`: whether HTTP/3 is used once an endpoint has announced it (`Alt-Svc`, RFC 7838).
    pub http3: bool,
    /// TLS settings; absent: plain text.
    pub tls: Option<UpstreamTls>,
    /// Connections kept for reuse.
    pub pool: Pool,
    /// How long an endpoint may take.
    pub timeouts: UpstreamTimeouts,
    /// How it is found out which endpoints are well.
    pub health: Health,
    /// How many retries its requests allow for.
    pub retry_budget: RetryBudget,
    /// What it is given at a time.
    pub limits: UpstreamLimits,
    /// What is predicted of its requests.
    pub predict: Predict,
    /// Whether it is told the certificate that a client showed (`Client-Cert`, RFC 9440).
    pub client_cert_header: bool,
}

/// How an endpoint is picked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// The policy.
    pub policy: BalancePolicy,
    /// `fastest_free`, `least_request` and `peak_ewma`: how many endpoints are drawn and compared; absent: all
    /// are compared.
    pub choices: Option<NonZeroU32>,
    /// Time after which what was seen of an endpoint's latency and failures weighs 1/e.
    pub decay: Timeout,
    /// `prequal`: its pool of probe answers.
    pub prequal: Prequal,
    /// `prequal`: ask the endpoints how loaded they are; absent: no.
    pub probe: Option<Probe>,
    /// `prequal`: whether the endpoints' load reports are passed on to clients.
    pub forward_reports: bool,
    /// `ring_hash`, `maglev`, `rendezvous`: what is hashed.
    pub hash: Option<HashKey>,
    /// The same policies: an endpoint carries at most this multiple of the mean load (Mirrokni et al., 2016).
    pub load_bound: LoadBound,
    /// Percent of a priority's weight that must be available for it to take all requests.
    pub spill_over: PositivePercent,
    /// Preference for the gateway's own zone; absent: none.
    pub zone_aware: Option<ZoneAware>,
    /// Where requests go that ask for labels which no available endpoint carries.
    pub subset_fallback: SubsetFallback,
    /// A cookie that keeps a client with its endpoint; absent: none.
    pub sticky: Option<Sticky>,
    /// The growing share of an endpoint that is new or has recovered; absent: all at once.
    pub slow_start: Option<SlowStart>,
}

/// The balancing policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BalancePolicy {
    /// Smooth weighted round robin.
    RoundRobin,
    /// Weighted random.
    Random,
    /// The quickest that has a worker free, as far as is known; else as least request.
    FastestFree,
    /// Fewest requests in flight, by weight.
    LeastRequest,
    /// A ring of hashes with bounded load.
    RingHash,
    /// A look-up table with bounded load.
    Maglev,
    /// The highest of a key's weighted scores, with bounded load.
    Rendezvous,
    /// The first one that is available and not at its limit.
    FirstAvailable,
    /// Lowest latency × requests in flight, by weight.
    PeakEwma,
    /// Lowest latency among endpoints that are not hot, from a pool of probe answers.
    Prequal,
}

/// Asking the endpoints how loaded they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Request target.
    pub path: String,
    /// Time between two probes of an endpoint.
    pub interval: ProbeInterval,
    /// Probes under way at once.
    pub limit: ProbeLimit,
}

/// The pool of probe answers of Prequal (Wydrowski et al., *Load is not what you should balance*, NSDI 2024).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prequal {
    /// Answers that are kept.
    pub pool: PrequalPool,
    /// Endpoints that are probed for each request.
    pub probes: PrequalProbes,
    /// How long an answer is used.
    pub age: Timeout,
    /// Answers that are removed for each request, in turn the oldest and the worst.
    pub remove: u32,
    /// δ: answers may be used 1 + δ times as often as they come.
    pub reuse: Reuse,
    /// Endpoints with more requests in flight than this percentile of all are hot.
    pub percentile: Percent,
}

/// What is hashed: exactly one field is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HashKey {
    /// A header field's value.
    pub header: Option<String>,
    /// A cookie's value.
    pub cookie: Option<String>,
    /// The path without its query.
    pub path: Option<bool>,
    /// The client's address.
    pub client_address: Option<bool>,
}

/// A member of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `ip:port`, `[ipv6]:port`, `host:port` or `unix:/path`; the identity within its upstream.
    pub address: String,
    /// Its share of the load beside the others'.
    pub weight: u32,
    /// Whether it gets no new requests while those it has are finished.
    pub drain: bool,
    /// Lower ones are preferred; 0 comes first.
    pub priority: u32,
    /// The zone that it runs in.
    pub zone: Option<String>,
    /// What routes may ask for.
    pub labels: Labels,
    /// Why it is out of service; absent: it is in service.
    pub maintenance: Option<String>,
}

/// Version of HTTP spoken to the endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; in plain text by prior knowledge.
    Http2,
    /// HTTP/3, over TLS alone.
    Http3,
    /// What ALPN agrees on; HTTP/1.1 in plain text.
    Auto,
}

/// TLS towards the endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTls {
    /// Whether the endpoint's certificate is checked.
    pub verify: bool,
    /// Certificate authorities to check against, as PEM text; absent: the system's.
    pub ca: Option<String>,
    /// Name for SNI and for the check; absent: the endpoint's own host.
    pub server_name: Option<String>,
    /// Client certificate chain, as PEM text.
    pub cert: Option<String>,
    /// Its private key, as PEM text.
    pub key: Option<Secret>,
}

/// Connections kept for reuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How long an unused connection is kept.
    pub idle_timeout: Millis,
    /// How long a connection is used for new requests.
    pub max_age: Millis,
    /// Unused connections kept for one endpoint by one worker.
    pub max_idle: u32,
    /// Open connections to one endpoint, over all workers; absent: no bound.
    pub max_connections: Option<NonZeroU32>,
}

/// How long an endpoint may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTimeouts {
    /// To connect, TLS handshake included.
    pub connect: Timeout,
    /// From the request's end to the response's head.
    pub response: Timeout,
    /// Longest silence while a body is transferred.
    pub idle: Timeout,
}

bounded! {
    /// A multiple of the mean load.
    LoadBound: f64 from 1.0 to 1000.0
}

bounded! {
    /// A number of answers, all of which a pick looks at.
    #[derive(Eq, Ord)]
    PrequalPool: u32 from 2 to 256
}

bounded! {
    /// A number of probes, each of which is sent for one request.
    #[derive(Eq, Ord)]
    PrequalProbes: u32 from 1 to 16
}

bounded! {
    /// How much more often than they come answers may be used.
    Reuse: f64 from 0.0 to 1000.0
}

bounded! {
    /// A pause in milliseconds within which an answer is still believed.
    #[derive(Eq, Ord)]
    ProbeInterval(millis): u64 from 1 to 1000
}

bounded! {
    /// A number of probes under way.
    #[derive(Eq, Ord)]
    ProbeLimit: u32 from 1 to 1024
}
