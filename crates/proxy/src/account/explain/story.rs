//! What became of a request.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tidegate_core::failure::Failure;

use super::notes::{
    AccessDecision, AuthDecision, CacheDecision, Choice, LimitDecision, Notes, PredictionDecision,
    Try, milliseconds,
};
use crate::account::record::Record;
use crate::net::clock;

/// Most bytes of a path or a host that are kept.
const LONGEST: usize = 256;

/// Why a request is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It failed.
    Failed,
    /// It was answered with a status of 500 or above.
    ServerError,
    /// It was tried more than once, or beside another try.
    Retried,
    /// The head of its response took long.
    Slow,
    /// It was chosen at random.
    Sampled,
}

impl Reason {
    /// Why a request that has ended is to be remembered, if it is: `slow` is how long the head of a response may take,
    /// `sampled` whether the request was chosen at random.
    pub fn of(record: &Record, slow: Duration, sampled: bool) -> Option<Self> {
        if record.failure.is_some() {
            Some(Self::Failed)
        } else if record.status >= 500 {
            Some(Self::ServerError)
        } else if record.tries > 1 {
            Some(Self::Retried)
        } else if response_head(record).is_some_and(|at| at > slow) {
            Some(Self::Slow)
        } else {
            sampled.then_some(Self::Sampled)
        }
    }
}

/// When the head of the response came, from the request's beginning on.
fn response_head(record: &Record) -> Option<Duration> {
    let (_, tried) = record.last_try.as_ref()?;
    Some(record.since(*tried) + record.response_head?)
}

/// When what was reached, from the request's beginning on; absent: it was not, or not seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Its route was found.
    pub routed: Option<Duration>,
    /// Its upstream admitted it, after a wait if need be.
    pub admitted: Option<Duration>,
    /// Its last try began.
    pub tried: Option<Duration>,
    /// The head of the response came from the endpoint.
    pub head: Option<Duration>,
    /// Its response was sent to the end, or broke off.
    pub end: Duration,
}

/// What became of a request.
#[derive(Debug, Serialize)]
pub struct Story {
    /// The request's name.
    pub request_id: Box<str>,
    /// When it began, in seconds since 1970.
    pub time: f64,
    /// Why it is remembered.
    pub reason: Reason,
    /// By which listener it came in.
    pub listener: Box<str>,
    /// Its method.
    pub method: Box<str>,
    /// The host it asked for; absent where that was not noted.
    pub host: Option<Box<str>>,
    /// Its path, up to 256 bytes of it.
    pub path: Box<str>,
    /// The status it was answered with.
    pub status: u16,
    /// Why it failed, as in logs and metrics.
    pub error: Option<&'static str>,
    /// The same for people.
    pub detail: Option<&'static str>,
    /// The route that took it.
    pub route: Option<Box<str>>,
    /// That route's number, which no other has.
    #[serde(skip)]
    pub route_id: Option<u64>,
    /// The upstream that it was tried on.
    pub upstream: Option<Arc<str>>,
    /// When what was reached.
    #[serde(serialize_with = "phases")]
    pub phases: Phases,
    /// What limits decided, in order.
    pub limits: Vec<LimitDecision>,
    /// What its identity is called, where that is remembered.
    pub subject: Option<Box<str>>,
    /// The authenticators that were asked where it comes from, in order.
    pub auth: Vec<AuthDecision>,
    /// Why it may not use its route.
    pub access: Option<AccessDecision>,
    /// What a cache decided.
    pub cache: Option<CacheDecision>,
    /// What was predicted of it, where it had to wait or that decided where it went.
    pub prediction: Option<PredictionDecision>,
    /// Its tries, in order.
    pub tries: Vec<Try>,
    /// The endpoints when none could be picked.
    pub unpicked: Option<Choice>,
}

/// A story's line in a list.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The request's name.
    pub request_id: Box<str>,
    /// When it began, in seconds since 1970.
    pub time: f64,
    /// Why it is remembered.
    pub reason: Reason,
    /// Its method.
    pub method: Box<str>,
    /// Its path.
    pub path: Box<str>,
    /// The status it was answered with.
    pub status: u16,
    /// Why it failed.
    pub error: Option<&'static str>,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
}

impl Story {
    /// What became of a request that came in by `listener`, has ended, and is remembered for `reason`.
    pub fn of(record: &Record, notes: Notes, reason: Reason, listener: &str) -> Self {
        let end = record.took();
        let meaning = record.failure.map(Failure::meaning);
        let (route_id, route) =
            record.route.as_ref().map(|(id, route)| (*id, route.name())).unzip();
        Self {
            request_id: String::from_utf8_lossy(record.request_id.as_bytes()).into(),
            time: clock::unix_nanos() as f64 / 1e9 - end.as_secs_f64(),
            reason,
            listener: listener.into(),
            method: bounded(record.method()),
            host: notes.host,
            path: bounded(record.path()),
            status: record.status,
            error: meaning.map(|meaning| meaning.label),
            detail: meaning.map(|meaning| meaning.detail),
            route: route.map(Into::into),
            route_id,
            upstream: record.last_try.as_ref().map(|(endpoint, _)| endpoint.upstream().clone()),
            phases: Phases {
                routed: notes.routed,
                admitted: record.admitted.map(|at| record.since(at)),
                tried: record.last_try.as_ref().map(|(_, at)| record.since(*at)),
                head: response_head(record),
                end,
            },
            limits: notes.limits,
            subject: None,
            auth: notes.auth,
            access: notes.access,
            cache: notes.cache,
            prediction: notes.prediction,
            tries: notes.tries,
            unpicked: notes.choice.filter(|choice| !choice.candidates.iter().any(|c| c.picked)),
        }
    }

    /// Its line in a list.
    pub fn summary(&self) -> Summary {
        Summary {
            request_id: self.request_id.clone(),
            time: self.time,
            reason: self.reason,
            method: self.method.clone(),
            path: self.path.clone(),
            status: self.status,
            error: self.error,
            duration_ms: self.phases.end.as_secs_f64() * 1000.0,
        }
    }
}

/// As much of a text as is kept.
pub fn bounded(text: &str) -> Box<str> {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

/// Those that were reached, in order.
fn phases<S: Serializer>(phases: &Phases, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Phase {
        phase: &'static str,
        #[serde(serialize_with = "milliseconds", rename = "at_ms")]
        at: Duration,
    }
    let reached = [
        ("routed", phases.routed),
        ("admitted", phases.admitted),
        ("tried", phases.tried),
        ("head", phases.head),
        ("end", Some(phases.end)),
    ];
    let reached = reached.into_iter().filter_map(|(phase, at)| Some(Phase { phase, at: at? }));
    serializer.collect_seq(reached)
}
