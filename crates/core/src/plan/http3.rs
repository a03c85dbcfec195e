//! HTTP/3 on a listener.

use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timeout;

/// HTTP/3 on a listener whose protocols name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http3 {
    /// What responses over other versions say of it; absent: nothing.
    pub alt_svc: Option<AltSvc>,
    /// How fast is sent.
    pub congestion: Congestion,
    /// Whether a client must show that its address is its own before it is answered at length.
    pub retry: QuicRetry,
    /// Whether requests with safe methods are served out of early data (RFC 8470).
    pub early_data: bool,
}

/// The field `Alt-Svc` (RFC 7838).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AltSvc {
    /// How long a client may remember it.
    pub max_age: Timeout,
    /// The port that clients reach; absent: the listener's own.
    pub port: Option<NonZeroU16>,
}

/// What decides how much may be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Congestion {
    /// Loss (RFC 9438).
    Cubic,
    /// A model of the path: bottleneck bandwidth and round-trip time.
    Bbr,
}

/// When a client's address is validated by a Retry packet (RFC 9000 §8.1.2), which costs it a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuicRetry {
    /// While many handshakes are half done.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
