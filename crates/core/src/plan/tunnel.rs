//! How long connections may last that carry another protocol.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timeout;

/// How long a WebSocket, or another tunnel, may last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// Longest silence of both sides.
    pub idle: Timeout,
    /// Longest time that it may be open; absent: no bound.
    pub max: Option<Timeout>,
}
