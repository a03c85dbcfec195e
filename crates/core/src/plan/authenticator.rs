//! Authenticators: how it is found out where a request comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Finds out where requests come from. Exactly one kind is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authenticator {
    /// Unique name; what it remembers survives a reload under it.
    pub name: String,
    /// Kind: keys that clients are given.
    pub api_key: Option<ApiKey>,
    /// Whether credentials that it believes are passed on.
    pub keep_credentials: bool,
}

/// Keys that clients are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The content of the file of keys, as JSON; absent: only keys of the admin API are known.
    pub file: Option<String>,
    /// Where a key may stand.
    pub from: Vec<Place>,
}

/// Where a credential may stand: exactly one field is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// `Authorization: Bearer`.
    pub bearer: Option<bool>,
    /// A header field.
    pub header: Option<String>,
    /// A cookie.
    pub cookie: Option<String>,
    /// A query parameter.
    pub query: Option<String>,
}
