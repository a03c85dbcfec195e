//! Stores: where gateways keep what they share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::bounded;
use super::{Secret, UpstreamTls};

/// Where several gateways keep what they share; rate limits and caches name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Unique name; the identity that survives a reload.
    pub name: String,
    /// The server: Valkey, or Redis.
    pub valkey: Valkey,
    /// What decides of requests while it does not answer, where a limit does not say.
    pub on_failure: OnFailure,
    /// Time between two round trips at the least.
    pub sync: SyncInterval,
    /// For how long units that a gateway has leased are its own; it is also how long an answer may take.
    pub lease: Lease,
    /// How long a request waits at most for the first word on its key.
    pub cold_wait: ColdWait,
    /// Gateways that are assumed to share it until it has told.
    pub gateways: Gateways,
}

/// A server that speaks the protocol of Redis 6.2 or newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Valkey {
    /// Where it is; absent: Sentinel tells.
    pub address: Option<String>,
    /// Those that tell where it is; absent: `address` does.
    pub sentinel: Option<Sentinel>,
    /// User of its access control list; absent: the default one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The content of a file that holds it.
    pub password_file: Option<Secret>,
    /// Number of the database.
    pub database: Database,
    /// TLS settings; absent: plain text.
    pub tls: Option<UpstreamTls>,
}

/// Those that tell where a server is that may move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sentinel {
    /// Where they are, asked in this order.
    pub addresses: Vec<String>,
    /// What they call the server.
    pub master: String,
    /// User of their access control list; absent: the default one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The content of a file that holds it.
    pub password_file: Option<Secret>,
}

/// What decides of requests while a store does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Each gateway by its own part of the quota.
    Local,
    /// They are let go.
    Open,
    /// They are refused.
    Closed,
}

bounded! {
    /// Milliseconds between two round trips.
    #[derive(Eq, Ord)]
    SyncInterval(millis): u64 from 10 to 1_000
}

bounded! {
    /// Milliseconds for which a lease holds.
    #[derive(Eq, Ord)]
    Lease(millis): u64 from 50 to 10_000
}

bounded! {
    /// Milliseconds that a request may wait.
    #[derive(Eq, Ord)]
    ColdWait(millis): u64 from 0 to 25
}

bounded! {
    /// A number of gateways.
    #[derive(Eq, Ord)]
    Gateways: u32 from 1 to 10_000
}

bounded! {
    /// Number of a database.
    #[derive(Eq, Ord)]
    Database: u32 from 0 to 1_000_000
}
