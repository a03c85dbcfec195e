//! What is noted of a request while it is under way.

use std::time::Duration;

use serde::{Serialize, Serializer};
use tidegate_core::admission::Offer;
use tidegate_core::balance::Candidate;
use tidegate_core::plan::BalancePolicy;

use crate::account::event::TryOutcome;

/// Most tries, and most decisions of limits, that are kept of one request.
const MOST: usize = 32;

/// What is noted of a request while it is under way. All times count from its beginning.
#[derive(Debug, Default)]
pub struct Notes {
    /// The host that it asks for.
    pub host: Option<Box<str>>,
    /// When its route was found.
    pub routed: Option<Duration>,
    /// What limits decided, in order.
    pub limits: Vec<LimitDecision>,
    /// The authenticators that were asked, in order.
    pub auth: Vec<AuthDecision>,
    /// Why it may not use its route.
    pub access: Option<AccessDecision>,
    /// What a cache decided.
    pub cache: Option<CacheDecision>,
    /// What was predicted of it.
    pub prediction: Option<PredictionDecision>,
    /// Its tries, in order.
    pub tries: Vec<Try>,
    /// The choice of an endpoint that no try has followed yet.
    pub choice: Option<Choice>,
}

/// What a limit decided on a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitDecision {
    /// `rate`, `requests`, or what another try depends on: `attempts`, `body_buffer`, `retry_after`, `deadline`,
    /// `retries` or `retry_budget`.
    pub limit: &'static str,
    /// Whether it let the request, or its next try, go on.
    pub allowed: bool,
    /// Requests in flight, itself included; of the limit `requests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// How many might be; absent: as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// Requests that waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<u32>,
    /// How a window of a rate limit stood; of the limit `rate`.
    #[serde(flatten)]
    pub rate: Option<Box<RateStanding>>,
}

/// How a window of a rate limit stood when a request asked it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateStanding {
    /// The limit.
    pub name: Box<str>,
    /// The window, as clients are told of it.
    pub window: Box<str>,
    /// Units that the request was to be charged.
    pub cost: u64,
    /// Units that are left after it.
    pub left: u64,
    /// How long until there is room for it; absent: there is, or there never will be.
    #[serde(serialize_with = "milliseconds_if", rename = "wait_ms")]
    pub wait: Option<Duration>,
    /// `allow`, `wait` or `deny`.
    pub verdict: &'static str,
    /// `enforce`, or `shadow` where nothing follows from it.
    pub mode: &'static str,
}

impl LimitDecision {
    /// The decision of a limit that has no numbers.
    pub fn plain(limit: &'static str, allowed: bool) -> Self {
        Self { limit, allowed, in_flight: None, most: None, queued: None, rate: None }
    }

    /// What follows from how a window of a rate limit stood.
    pub fn rate(standing: RateStanding) -> Self {
        let allowed = standing.verdict != "deny" || standing.mode == "shadow";
        Self { rate: Some(Box::new(standing)), ..Self::plain("rate", allowed) }
    }
}

/// What an authenticator made of a request. Nothing of the credential is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuthDecision {
    /// The authenticator.
    pub authenticator: Box<str>,
    /// `ok`, `missing`, or why it did not believe the credential.
    pub result: &'static str,
    /// The same for people, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// Why a request may not use its route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccessDecision {
    /// The option that says so.
    pub by: &'static str,
    /// The rule that it does not fulfil.
    pub rule: Box<str>,
}

/// What became of a request in a cache.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CacheDecision {
    /// The cache.
    pub cache: Box<str>,
    /// As in metrics.
    pub result: &'static str,
    /// Why the origin was asked, as `Cache-Status` says it; absent: it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<&'static str>,
    /// Why what is not fresh was served, or why the response is not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The hash of its key, as `tidegate cache show` has it.
    pub key: Box<str>,
    /// How old the response is, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// For how many seconds it is still fresh; below 0: it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// What says for how long it is fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<&'static str>,
    /// Whether the origin is asked for slices, as far as is known that it answers ranges; absent: the route has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slices: Option<bool>,
}

/// What was predicted of a request that had to wait, or whose endpoint is picked by it, and what followed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictionDecision {
    /// What it was taken to cost; absent: nothing that was predicted of it counted.
    #[serde(serialize_with = "milliseconds_if", rename = "cost_ms")]
    pub cost: Option<Duration>,
    /// What requests to its upstream cost.
    #[serde(serialize_with = "milliseconds", rename = "usual_ms")]
    pub usual: Duration,
    /// How many times as much it was said to cost by what is known of its route, how many times as much again by its
    /// method, and so on; in the end by a model.
    pub factors: Vec<Factor>,
    /// How far that counts, from 0 to 1: as an exponent of the factors.
    pub weight: f32,
    /// How much earlier than it came it counted.
    #[serde(serialize_with = "milliseconds", rename = "boost_ms")]
    pub boost: Duration,
    /// Requests that came after it and went in before it.
    pub overtaken: u32,
    /// What it left alone last to wait for something better.
    pub declined: Option<Declined>,
}

/// How many times as much a request is said to cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Factor {
    /// By what: `route`, `method`, `template`, `size` or `model`.
    pub by: &'static str,
    /// How many times.
    pub times: f32,
}

/// A worker that a request left alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Declined {
    /// How many times longer than with a quick one it takes.
    pub slower: f32,
    /// The mean time until a quick one comes free.
    #[serde(serialize_with = "milliseconds", rename = "every_ms")]
    pub every: Duration,
}

impl From<Offer> for Declined {
    fn from(Offer { slower, every, .. }: Offer) -> Self {
        Self { slower, every }
    }
}

/// How an endpoint was chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The policy that chose.
    pub policy: BalancePolicy,
    /// Whether the client's cookie named the endpoint.
    pub sticky: bool,
    /// Whether it was picked in panic mode: too few endpoints were well, so that any in service might be.
    pub panic_mode: bool,
    /// The endpoints as they stood then.
    pub candidates: Vec<Candidate>,
    /// How many more there were.
    pub left_out: usize,
}

/// One try on one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Try {
    /// The endpoint's address.
    pub endpoint: Box<str>,
    /// When it began.
    #[serde(serialize_with = "milliseconds", rename = "at_ms")]
    pub at: Duration,
    /// When it had a connection; absent where that was not seen.
    #[serde(serialize_with = "milliseconds_if", rename = "connected_ms")]
    pub connected: Option<Duration>,
    /// When its outcome was known.
    #[serde(serialize_with = "milliseconds_if", rename = "ended_ms")]
    pub ended: Option<Duration>,
    /// What it came to.
    pub outcome: TryOutcome,
    /// How its endpoint was chosen; absent where that was not noted.
    pub choice: Option<Choice>,
}

impl Serialize for TryOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Answered(status) => {
                serializer.collect_str(&format_args!("status {}", status.as_u16()))
            }
            Self::Failed(failure) => serializer.serialize_str(failure.meaning().label),
            Self::GivenUp => serializer.serialize_str("given_up"),
        }
    }
}

impl Notes {
    /// A limit decided something.
    pub fn limit_decided(&mut self, decision: LimitDecision) {
        if self.limits.len() < MOST {
            self.limits.push(decision);
        }
    }

    /// An authenticator was asked.
    pub fn authenticator_asked(&mut self, decision: AuthDecision) {
        if self.auth.len() < MOST {
            self.auth.push(decision);
        }
    }

    /// A try on the endpoint of this address began.
    pub fn try_began(&mut self, endpoint: &str, at: Duration) {
        let choice = self.choice.take();
        if self.tries.len() < MOST {
            self.tries.push(Try {
                endpoint: endpoint.into(),
                at,
                connected: None,
                ended: None,
                outcome: TryOutcome::GivenUp,
                choice,
            });
        }
    }

    /// The try on an endpoint has a connection.
    pub fn try_connected(&mut self, endpoint: &str, at: Duration) {
        if let Some(open) = self.open_try(endpoint) {
            open.connected = Some(at);
        }
    }

    /// The try on an endpoint came to something.
    pub fn try_ended(&mut self, endpoint: &str, outcome: TryOutcome, at: Duration) {
        if let Some(open) = self.open_try(endpoint) {
            (open.outcome, open.ended) = (outcome, Some(at));
        }
    }

    fn open_try(&mut self, endpoint: &str) -> Option<&mut Try> {
        self.tries.iter_mut().rev().find(|each| *each.endpoint == *endpoint && each.ended.is_none())
    }
}

/// In milliseconds.
pub(super) fn milliseconds<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1000.0)
}

fn milliseconds_if<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64() * 1000.0).serialize(serializer)
}
