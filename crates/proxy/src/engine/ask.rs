//! Questions to the running engine, and the answers to them. Both are JSON.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::caches::EntriesQuestion;
use super::predictions;
use super::rate_limits::KeyQuestion;
use super::routing::RouteQuestion;
use super::token_check::TokenQuestion;

/// A question to the running engine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Question {
    /// Listeners, upstreams and endpoints as they are now.
    Status {},
    /// How an endpoint came to be as it is; null if there is no such endpoint.
    EndpointHealth { upstream: String, address: String },
    /// What became of a recent request; null if it is not remembered.
    Explain { request_id: String },
    /// The last requests that stood out, the latest first.
    Outstanding { count: usize },
    /// Which route takes a request, and why the nearer ones do not.
    Route(RouteQuestion),
    /// The routes in order of precedence.
    Table {},
    /// The rate limits as they are now.
    RateLimits {},
    /// What would be decided of a token; null if there is no such route.
    CheckToken(TokenQuestion),
    /// The authenticators as they are now.
    Authenticators {},
    /// The stores as they are now.
    Stores {},
    /// The caches as they are now.
    Caches {},
    /// What is stored for a URL.
    CacheEntries(EntriesQuestion),
    /// What is learnt of the costs of each upstream's requests.
    Learnt {},
    /// What a key of a rate limit has left; null if there is no such limit.
    RateLimitKey(KeyQuestion),
    /// The keys of a rate limit with the most requests; null if there is no such limit.
    RateLimitTop { limit: String, count: usize },
}

impl Engine {
    /// The answer to `question`.
    ///
    /// # Errors
    /// What is wrong with the question, for people.
    pub fn ask(&self, question: &[u8]) -> Result<Vec<u8>, String> {
        match read(question)? {
            Question::Status {} => written(&self.status()),
            Question::EndpointHealth { upstream, address } => {
                written(&self.endpoint_health(&upstream, &address))
            }
            Question::Explain { request_id } => written(&self.explain(&request_id)),
            Question::Outstanding { count } => written(&self.outstanding(count)),
            Question::Route(question) => {
                let snapshot = self.snapshot();
                written(&question.answer(&snapshot.table, &snapshot.plan)?)
            }
            Question::Table {} => written(&self.snapshot().table.rows()),
            Question::RateLimits {} => written(&self.rate_limits()),
            Question::CheckToken(asked) => written(&self.check_token(&asked)),
            Question::Authenticators {} => written(&self.authenticators()),
            Question::Stores {} => written(&self.stores()),
            Question::Caches {} => written(&self.caches()),
            Question::CacheEntries(asked) => written(&self.cache_entries(&asked)?),
            Question::Learnt {} => written(&predictions::learnt(&self.snapshot().upstreams)),
            Question::RateLimitKey(asked) => written(&self.rate_limit_key(&asked)?),
            Question::RateLimitTop { limit, count } => {
                written(&self.rate_limit_top(&limit, count)?)
            }
        }
    }
}

/// What a question asks.
pub(super) fn read<'a, T: Deserialize<'a>>(question: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(question).map_err(|error| format!("not a question: {error}"))
}

/// An answer as it crosses the border.
pub(super) fn written(answer: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(answer).map_err(|error| format!("the answer cannot be written: {error}"))
}
