//! Security headers: fields that tell browsers to be careful with a response.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Millis;

/// Fields that tell browsers to be careful with the responses of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityHeaders {
    /// `Strict-Transport-Security`, on responses over TLS; absent: none.
    pub hsts: Option<Hsts>,
    /// Whether `X-Content-Type-Options: nosniff` is sent.
    pub content_type_options: bool,
    /// `Referrer-Policy`; absent: none.
    pub referrer_policy: Option<String>,
    /// Sources of `frame-ancestors` in `Content-Security-Policy`; absent: none is sent.
    pub frame_ancestors: Option<Vec<String>>,
    /// `Cross-Origin-Opener-Policy`; absent: none.
    pub opener_policy: Option<String>,
    /// `Permissions-Policy`; absent: none.
    pub permissions_policy: Option<String>,
    /// Whether what the upstream says of the same is replaced.
    #[serde(rename = "override")]
    pub overrides: bool,
}

/// `Strict-Transport-Security` (RFC 6797).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hsts {
    /// How long browsers use nothing but TLS for the host.
    pub max_age: Millis,
    /// Whether that holds for all hosts below it too.
    pub include_subdomains: bool,
    /// Whether the host asks to be in the list that browsers bring along.
    pub preload: bool,
}
