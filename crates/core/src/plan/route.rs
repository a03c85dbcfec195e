//! Routes: what is done with which request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    Access, Cors, Csrf, Hedge, IdentityHeader, Labels, Percent, Priority, Retry, RouteCache,
    SecurityHeaders, Size, Status, Timeout, Tunnel,
};

/// What is done with the requests that match.
///
/// Exactly one of `upstream`, `split`, `redirect` and `respond` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Unique name; the identity that survives a reload.
    pub name: String,
    /// Listeners this route serves; empty: all.
    pub listeners: Vec<String>,
    /// Which requests it takes.
    #[serde(rename = "match")]
    pub matches: RouteMatch,
    /// The path of all its requests with its variables, like `/users/{id}/orders/{order}`, by which predictions tell them
    /// apart from others. Absent: it is learnt.
    pub template: Option<String>,
    /// Action: send to this upstream.
    pub upstream: Option<String>,
    /// Labels that the endpoint must carry; with the action `upstream`.
    pub subset: Labels,
    /// Action: share out between upstreams by weight.
    pub split: Option<Vec<Split>>,
    /// Action: answer with a redirect.
    pub redirect: Option<Redirect>,
    /// Action: answer with a fixed response.
    pub respond: Option<Respond>,
    /// What of the responses is stored, to answer other requests; with the actions `upstream` and `split`. Absent:
    /// nothing.
    pub cache: Option<RouteCache>,
    /// Changes of the request's target before it is sent upstream.
    pub rewrite: Option<Rewrite>,
    /// Changes of the request's fields.
    pub request_headers: HeaderEdits,
    /// Changes of the response's fields.
    pub response_headers: HeaderEdits,
    /// Send a copy of each request elsewhere and forget the answer.
    pub mirror: Option<Mirror>,
    /// Longest time from the request's head to the response's end, all tries included; absent: no bound.
    pub timeout: Option<Timeout>,
    /// Field of the request that says how many milliseconds are left for it, read and passed on; absent: none.
    pub deadline_header: Option<String>,
    /// When a failed try is repeated.
    pub retry: Retry,
    /// When a request that takes long is sent a second time; absent: never.
    pub hedge: Option<Hedge>,
    /// How long a WebSocket, or another tunnel, may last.
    pub tunnel: Tunnel,
    /// Whether requests in gRPC-Web are made ones in gRPC, and their responses the other way round.
    pub grpc_web: bool,
    /// Methods of gRPC whose RPCs are counted by name, like `/shop.Orders/Place`, at most 100; all others are counted
    /// together. Empty: none are counted.
    pub grpc_methods: Vec<String>,
    /// What a request may cost.
    pub limits: RouteLimits,
    /// How important its requests are where the upstream cannot serve all.
    pub priority: RoutePriority,
    /// Who may use it; absent: all.
    pub access: Option<Access>,
    /// Fields that tell the upstream of the identity.
    pub identity_headers: BTreeMap<String, IdentityHeader>,
    /// Which pages of other origins may read the responses; absent: what the upstream says holds.
    pub cors: Option<Cors>,
    /// Refuse requests that pages of other origins make a browser send with its cookies; absent: they are not told apart.
    pub csrf: Option<Csrf>,
    /// Fields that tell browsers to be careful with the responses; absent: none are added.
    pub security_headers: Option<SecurityHeaders>,
}

/// Which requests a route takes: all given conditions must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteMatch {
    /// Host names: exact (`api.example.com`) or with one leading wildcard (`*.example.com`); empty: any.
    pub hosts: Vec<String>,
    /// Condition on the path; absent: any.
    pub path: Option<PathMatch>,
    /// Methods; empty: any.
    pub methods: Vec<String>,
    /// Conditions on header fields.
    pub headers: Vec<FieldMatch>,
    /// Conditions on query parameters.
    pub query: Vec<FieldMatch>,
    /// Conditions on cookies.
    pub cookies: Vec<FieldMatch>,
}

/// Condition on the path: exactly one field is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathMatch {
    /// The whole path.
    pub exact: Option<String>,
    /// A prefix that ends on a segment border: `/v1` takes `/v1` and `/v1/x`, not `/v10`.
    pub prefix: Option<String>,
    /// A regular expression for the whole path; its named groups can be used in rewrites.
    pub regex: Option<String>,
    /// Segments with captures: `/users/{id}/files/{*rest}`.
    pub template: Option<String>,
}

/// Condition on a named value: exactly one of `exact`, `prefix`, `regex` and `present` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldMatch {
    /// Name of the header field (in any case), query parameter or cookie.
    pub name: String,
    /// The whole value.
    pub exact: Option<String>,
    /// The value's beginning.
    pub prefix: Option<String>,
    /// A regular expression for the whole value.
    pub regex: Option<String>,
    /// Whether it is there at all.
    pub present: Option<bool>,
}

/// One share of a weighted split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Where this share goes.
    pub upstream: String,
    /// Labels that the endpoint must carry.
    pub subset: Labels,
    /// Its weight beside the others'.
    pub weight: u32,
}

/// Answer with a redirect; what is not given stays as requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// Status code.
    pub status: RedirectStatus,
    /// Scheme to redirect to; absent: the request's.
    pub scheme: Option<RedirectScheme>,
    /// Host, and port where it is not the scheme's own.
    pub host: Option<String>,
    /// The whole path, with `{captures}`.
    pub path: Option<String>,
    /// What takes the place of the matched prefix.
    pub prefix: Option<String>,
    /// Whether the query is left out.
    pub strip_query: bool,
}

/// The status of a redirect (RFC 9110 §15.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct RedirectStatus(u16);

impl RedirectStatus {
    const ALL: [u16; 5] = [301, 302, 303, 307, 308];
}

impl TryFrom<u16> for RedirectStatus {
    type Error = String;

    fn try_from(code: u16) -> Result<Self, String> {
        let known = Self::ALL.contains(&code);
        known
            .then_some(Self(code))
            .ok_or_else(|| format!("expected one of {:?}, not {code}", Self::ALL))
    }
}

impl From<RedirectStatus> for u16 {
    fn from(RedirectStatus(code): RedirectStatus) -> Self {
        code
    }
}

impl From<RedirectStatus> for StatusCode {
    fn from(RedirectStatus(code): RedirectStatus) -> Self {
        Self::from_u16(code).unwrap_or(Self::PERMANENT_REDIRECT)
    }
}

/// A scheme that a redirect can lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedirectScheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl RedirectScheme {
    /// As it stands in a URL.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl JsonSchema for RedirectStatus {
    fn schema_name() -> Cow<'static, str> {
        "RedirectStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "enum": Self::ALL})
    }
}

/// Answer with a fixed response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// Status code.
    pub status: Status,
    /// Header fields; a body without `content-type` is `text/plain; charset=utf-8`.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: String,
}

/// Changes of a request's target. At most one of `prefix`, `path` and `regex` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// What takes the place of the matched prefix.
    pub prefix: Option<String>,
    /// The whole path, with `{captures}`.
    pub path: Option<String>,
    /// Replace by regular expression.
    pub regex: Option<RegexRewrite>,
    /// The `Host` sent upstream; absent: the client's.
    pub host: Option<String>,
}

/// Replace every match of a pattern in the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegexRewrite {
    /// A regular expression.
    pub pattern: String,
    /// The replacement; `$1` and `$name` stand for groups.
    pub replacement: String,
}

/// Changes of header fields, done in the order remove, set, add.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderEdits {
    /// Fields that get exactly this value.
    pub set: BTreeMap<String, String>,
    /// Fields that get this value beside those they have.
    pub add: BTreeMap<String, String>,
    /// Fields that are taken away.
    pub remove: Vec<String>,
}

/// Send copies elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// Where the copies go.
    pub upstream: String,
    /// Percent of the requests that are copied.
    pub percent: Percent,
}

/// What a request may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteLimits {
    /// Bytes of a request's body; absent: no bound.
    pub body: Option<Size>,
    /// Names of the rate limits that its requests must all pass.
    pub rate: Vec<String>,
}

/// How important a route's requests are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutePriority {
    /// The level of requests that do not name one.
    pub level: Priority,
    /// Name of a header field that names the level; absent: none is asked.
    pub header: Option<String>,
    /// Whether the field is believed whoever sends it, and not only trusted proxies.
    pub from_anyone: bool,
}
