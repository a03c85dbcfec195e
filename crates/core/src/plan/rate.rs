//! Rate limits: how often requests that have something in common may come.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::{LARGEST, bounded};
use super::{Millis, OnFailure, Size, Status, Timeout};

/// A limit that routes name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Unique name; what was spent survives a reload under it.
    pub name: String,
    /// What requests have in common that share a bucket; empty: all share one.
    pub key: Vec<KeyPart>,
    /// What becomes of a request that lacks a part of the key.
    pub missing: Missing,
    /// All of them must let a request go; if one does not, none is charged.
    pub windows: Vec<Window>,
    /// Requests of a key that may be under way at a time; absent: no bound.
    pub in_flight: Option<MostInFlight>,
    /// Bytes of bodies of a key that pass in a second; absent: no bound.
    pub bandwidth: Option<Bandwidth>,
    /// What becomes of requests over the limit.
    pub mode: RateMode,
    /// How long a request over the quota may wait for its turn before it is refused.
    pub wait: Millis,
    /// What a request costs.
    pub cost: RateCost,
    /// Which fields tell clients of the limit.
    pub headers: RateHeaders,
    /// Keys that are remembered at a time.
    pub keys: Keys,
    /// Whether the keys with the most requests are counted and can be shown.
    pub identities: bool,
    /// The store through which several gateways share its windows; absent: each has its own.
    pub store: Option<String>,
    /// What decides of requests while the store does not; absent: what the store says.
    pub on_failure: Option<OnFailure>,
    /// Bits of an IPv4 address that tell clients apart.
    pub ipv4_prefix: Ipv4Prefix,
    /// Bits of an IPv6 address that tell clients apart.
    pub ipv6_prefix: Ipv6Prefix,
}

impl RateLimit {
    /// Why it is not for connections as they are accepted; `None` if it is.
    pub fn counts_requests_only(&self) -> Option<&'static str> {
        let known = |part: &KeyPart| part.client.is_some() || part.listener.is_some();
        let cost = &self.cost;
        let later = cost.request_bytes || cost.response_bytes || cost.header.is_some();
        if !self.key.iter().all(known) {
            Some("of its key only client and listener are known before a request has come")
        } else if self.windows.is_empty() {
            Some("it has no windows")
        } else if self.in_flight.is_some() || self.bandwidth.is_some() {
            Some("in_flight and bandwidth are about requests; see limits.connections_per_client")
        } else if self.wait.get() > 0 {
            Some("a connection does not wait for its turn")
        } else if later || !cost.status.is_empty() || cost.requests == 0 {
            Some("what it costs is known only when a request has come")
        } else {
            None
        }
    }
}

/// One thing that requests have in common: exactly one field is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPart {
    /// The client's address, or the network that stands for it.
    pub client: Option<bool>,
    /// A header field's value.
    pub header: Option<String>,
    /// A cookie's value.
    pub cookie: Option<String>,
    /// A query parameter's value.
    pub query: Option<String>,
    /// The method.
    pub method: Option<bool>,
    /// The host that is asked for, without its port.
    pub host: Option<bool>,
    /// The route that takes the request.
    pub route: Option<bool>,
    /// The listener that it came in by.
    pub listener: Option<bool>,
    /// The country of the client's address.
    pub country: Option<bool>,
    /// The autonomous system of the client's address.
    pub asn: Option<bool>,
    /// A claim of its identity.
    pub claim: Option<String>,
    /// Its identity.
    pub identity: Option<bool>,
    /// The subject of its client's certificate.
    pub certificate: Option<bool>,
}

/// What becomes of a request that lacks a part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// All such requests share a bucket, so that nothing is gained by leaving the part out.
    Share,
    /// The limit is not for it.
    Skip,
    /// It is refused.
    Deny,
}

/// A bucket that holds `burst` and refills with `quota` each `per`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// What may be spent in the time `per` in the long run.
    pub quota: Quota,
    /// The time in which the quota is refilled.
    pub per: Timeout,
    /// What may be spent at once after a pause; absent: the quota.
    pub burst: Option<Quota>,
}

/// How many bytes of bodies pass in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes a second of the bodies of requests; absent: no bound.
    pub request: Option<Rate>,
    /// Bytes a second of the bodies of responses; absent: no bound.
    pub response: Option<Rate>,
    /// Bytes that may pass at once after a pause.
    pub burst: Size,
}

/// What becomes of requests over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateMode {
    /// They wait or are refused.
    Enforce,
    /// They are counted and told, and nothing else.
    Shadow,
}

/// What a request costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateCost {
    /// Units for the request as such.
    pub requests: u32,
    /// Whether each byte of the request's body costs a unit.
    pub request_bytes: bool,
    /// Whether each byte of the response's body costs a unit.
    pub response_bytes: bool,
    /// Field of the response that tells the units in place of `requests`.
    pub header: Option<String>,
    /// Only responses with one of these statuses cost anything; empty: all do.
    pub status: Vec<Status>,
}

/// Which fields tell clients of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateHeaders {
    /// `RateLimit` and `RateLimit-Policy`, for the window with the least left.
    Nearest,
    /// The same for all windows.
    All,
    /// None.
    None,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    Legacy,
}

bounded! {
    /// What may be spent: requests, or bytes where these are counted.
    #[derive(Eq, Ord)]
    Quota: u64 from 1 to LARGEST
}

bounded! {
    /// Bytes a second.
    #[derive(Eq, Ord)]
    Rate: u64 from 1 to LARGEST
}

bounded! {
    /// A number of requests that may be under way.
    #[derive(Eq, Ord)]
    MostInFlight: u32 from 1 to 4_294_967_295
}

bounded! {
    /// A number of keys that are remembered.
    #[derive(Eq, Ord)]
    Keys: u32 from 16 to 1_000_000_000
}

bounded! {
    /// Bits of an IPv4 address.
    #[derive(Eq, Ord)]
    Ipv4Prefix: u8 from 0 to 32
}

bounded! {
    /// Bits of an IPv6 address.
    #[derive(Eq, Ord)]
    Ipv6Prefix: u8 from 0 to 128
}
