//! Which requests are remembered, so that it can be said what became of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Millis, Percent};

/// What is remembered of recent requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    /// Percent of all requests that are remembered whatever becomes of them.
    pub sample: Percent,
    /// How many requests each worker remembers: so many that stood out, and as many others; 0: none.
    pub keep: u32,
    /// A response whose head takes longer than this stands out.
    pub slow: Millis,
    /// Whether the subject of their identity is remembered too.
    pub identities: bool,
}
