//! CORS: which pages of other origins may read responses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Millis;

/// Which pages of other origins may read the responses of a route (CORS, of the Fetch standard).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins whose pages may: `https://app.example.com`, `https://*.example.com`, `null`, or `*` for all.
    pub origins: Vec<String>,
    /// Methods that they may use; `*`: any.
    pub methods: Vec<String>,
    /// Fields that they may send beside those that every page may; `*`: any.
    pub headers: Vec<String>,
    /// Fields of a response that they may read beside those that every page may; `*`: any.
    pub expose: Vec<String>,
    /// How long a browser may remember the answer to a preflight; absent: as long as it likes.
    pub max_age: Option<Millis>,
    /// Whether their requests may carry cookies and other credentials.
    pub credentials: bool,
}
