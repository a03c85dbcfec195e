//! Authenticators: how it is found out where a request comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CertificateAuth, ForwardAuth, Jwt};

/// Finds out where requests come from. Exactly one kind is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authenticator {
    /// Unique name; what it remembers survives a reload under it.
    pub name: String,
    /// Kind: JSON Web Tokens of an issuer.
    pub jwt: Option<Jwt>,
    /// Kind: keys that clients are given.
    pub api_key: Option<ApiKey>,
    /// Kind: names and passwords.
    pub basic: Option<Basic>,
    /// Kind: certificates that clients show.
    pub certificate: Option<CertificateAuth>,
    /// Kind: a service that is asked about each request.
    pub forward: Option<ForwardAuth>,
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

/// Names and passwords, as browsers ask for them (RFC 7617).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The content of an htpasswd file.
    pub file: String,
    /// What clients are told that the names are for; absent: the authenticator's name.
    pub realm: Option<String>,
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
