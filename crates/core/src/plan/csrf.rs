//! CSRF: which pages of other origins may make a browser send what changes something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Refuse requests that pages of other origins make a browser send with its cookies (CSRF).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csrf {
    /// Other origins whose pages may send such requests.
    pub trusted_origins: Vec<String>,
}
