//! Forward auth: a service is asked about each request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Retry, Timeout};

/// Asks a service, which answers whether a request may go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardAuth {
    /// The upstream that is asked.
    pub upstream: String,
    /// The target of the question.
    pub path: String,
    /// Whether the request's own path and query follow it.
    pub append_target: bool,
    /// The method of the question.
    pub method: ForwardMethod,
    /// How long the whole question may take, its tries included.
    pub timeout: Timeout,
    /// When a try is repeated.
    pub retry: Retry,
    /// The request's fields that the service gets; absent: all but those of the content.
    pub send_headers: Option<Vec<String>>,
    /// Fields of the answer that the request goes on with.
    pub take_headers: Vec<String>,
    /// The field of the answer that tells whom the request is from; absent: none does.
    pub subject: Option<String>,
    /// How long an answer that lets a request go on holds for others like it; absent: for none.
    pub cache: Option<Timeout>,
    /// Fields, or `:method`, `:authority` and `:path`, that requests are alike in.
    pub cache_by: Vec<String>,
    /// What becomes of a request of which the service says nothing.
    pub on_failure: ForwardFailure,
}

/// The method of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardMethod {
    /// `GET`.
    Get,
    /// That of the request.
    Original,
}

/// What becomes of a request of which the service says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardFailure {
    /// It is refused.
    Deny,
    /// It goes on, from nobody that is known.
    Allow,
}
