//! Caches: what is kept of responses, and what a route's responses are kept for.

use std::collections::BTreeMap;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FieldMatch, Millis, Secret, Size, Status, unit::bounded};

bounded! {
    /// Memory of a cache in bytes.
    #[derive(Eq, Ord)]
    CacheMemory(bytes): u64 from 1_048_576 to 17_592_186_044_416
}

bounded! {
    /// Room of a cache on disk in bytes.
    #[derive(Eq, Ord)]
    CacheDiskSize(bytes): u64 from 1_048_576 to 1_125_899_906_842_624
}

bounded! {
    /// Bytes of a slice.
    #[derive(Eq, Ord)]
    CacheSlice(bytes): u64 from 65_536 to 67_108_864
}

bounded! {
    /// How often a response must have been asked for before it is stored.
    #[derive(Eq, Ord)]
    MinUses: u32 from 1 to 255
}

/// A store of responses, which routes name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Unique name; what is stored survives a reload under it.
    pub name: String,
    /// Bytes of memory for what is stored and what is being filled.
    pub memory: CacheMemory,
    /// Bytes of the largest body that is stored.
    pub max_object: Size,
    /// Where what leaves memory is kept; absent: nowhere.
    pub disk: Option<CacheDisk>,
    /// How gateways tell each other of its purges; absent: they do not.
    pub purges: Option<CachePurges>,
}

/// How gateways tell each other of the purges of a cache that all of them have under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CachePurges {
    /// The store.
    pub store: String,
    /// The stream there.
    pub stream: String,
}

/// Where a cache keeps what leaves its memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheDisk {
    /// A directory, which is the cache's alone.
    pub path: String,
    /// Bytes that files may take there.
    pub size: CacheDiskSize,
    /// What is kept.
    pub admit: CacheAdmission,
}

/// What a cache keeps on disk of what leaves its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheAdmission {
    /// What was asked for more than once.
    SecondRequest,
    /// Everything.
    Always,
}

/// What of a route's responses is stored, for how long, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteCache {
    /// The cache.
    pub name: String,
    /// What requests must have in common to get the same response.
    pub key: CacheKey,
    /// How long responses are fresh that do not say it themselves, by status (`404`) or class (`5xx`).
    pub ttl: BTreeMap<String, Millis>,
    /// How long after that they may be used, and when.
    pub stale: CacheStale,
    /// Fields of responses that name what can be purged together; clients do not see them.
    pub tags: Vec<String>,
    /// How long a request waits for the response to another one with its key.
    pub lock: Millis,
    /// Fields like `Cache-Control` for this gateway (RFC 9213), the one that counts first.
    pub targeted: Vec<String>,
    /// What is done with responses that set cookies.
    pub set_cookie: CachedCookies,
    /// Whether what clients say in `Cache-Control` counts.
    pub request_directives: RequestDirectives,
    /// How the values of fields are compared that `Vary` names.
    pub vary: VaryComparison,
    /// What of the origin's fields is not looked at.
    pub ignore: Vec<IgnoredField>,
    /// Requests that are answered by the upstream in any case; what it answers is stored.
    pub bypass: Vec<CacheCondition>,
    /// Requests whose responses are not stored.
    pub no_store: Vec<CacheCondition>,
    /// How often a response must have been asked for before it is stored.
    pub min_uses: MinUses,
    /// Bytes of the slices by which large objects are fetched and stored; absent: they are not.
    pub slice: Option<CacheSlice>,
    /// Networks of clients that may purge a URL by the method PURGE.
    #[schemars(with = "Vec<String>")]
    pub purge_from: Vec<IpNet>,
    /// The content of a file: the token with which any client may.
    pub purge_token_file: Option<Secret>,
}

/// What requests must have in common to get the same response, beside scheme, host and path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheKey {
    /// The query parameters.
    pub query: CacheKeyQuery,
    /// Header fields.
    pub headers: Vec<String>,
    /// Cookies.
    pub cookies: Vec<String>,
    /// Whether the route counts: else a response is found by every route that asks for it.
    pub route: bool,
}

/// Which query parameters count. At most one of `allow` and `deny` is given; with neither, all do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheKeyQuery {
    /// Only these; a `*` at the end stands for any rest of a name.
    pub allow: Option<Vec<String>>,
    /// All but these.
    pub deny: Option<Vec<String>>,
    /// Whether their order does not count.
    pub sort: bool,
}

/// How long a response may be used when it is not fresh any more, unless it forbids that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheStale {
    /// In place of an error of the origin (RFC 5861 §4).
    pub if_error: Millis,
    /// While the origin cannot be reached (RFC 9111 §4.2.4).
    pub if_disconnected: Millis,
    /// While it is validated in the background (RFC 5861 §3).
    pub while_revalidate: Millis,
}

/// What is done with responses that set cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CachedCookies {
    /// They are stored where they say how long they are fresh.
    Explicit,
    /// They are not stored.
    Never,
    /// They are stored without the cookies.
    Strip,
}

/// Whether what clients say in `Cache-Control` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestDirectives {
    /// Only `no-store` and `only-if-cached` do.
    Ignore,
    /// All do (RFC 9111 §5.2.1).
    Honour,
}

/// How the values of fields are compared that `Vary` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VaryComparison {
    /// By what they mean, where that is known.
    Normalised,
    /// Byte by byte.
    Exact,
}

/// A field of the origin that is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoredField {
    /// `Cache-Control`, and the fields that take its place.
    CacheControl,
    /// `Expires`.
    Expires,
    /// `Set-Cookie`, which is neither looked at nor stored.
    SetCookie,
    /// `Vary`.
    Vary,
}

/// A condition on a request: all that are given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheCondition {
    /// Methods; empty: any.
    pub methods: Vec<String>,
    /// Conditions on header fields.
    pub headers: Vec<FieldMatch>,
    /// Conditions on query parameters.
    pub query: Vec<FieldMatch>,
    /// Conditions on cookies.
    pub cookies: Vec<FieldMatch>,
}

/// A status of a response, or a class of them, as `404` or `5xx`.
pub(crate) fn statuses(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    match text.strip_suffix("xx") {
        Some(class) => {
            let class: u16 = class.parse().ok().filter(|class| (2..=5).contains(class))?;
            Some(class * 100..=class * 100 + 99)
        }
        None => text.parse().ok().and_then(Status::new).map(|one| one.get()..=one.get()),
    }
}
