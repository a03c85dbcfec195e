//! What became of a request.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::notes::{Choice, Said, Try, milliseconds};
use crate::snapshot::Route;

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

/// When what was reached, from the request's beginning on; absent: it was not, or not seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Its route was found.
    pub routed: Option<Duration>,
    /// Its upstream took it, after a wait if need be.
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
    /// The same, as long as it is served.
    #[serde(skip)]
    pub route_taken: Weak<Route>,
    /// The upstream that it was tried on.
    pub upstream: Option<Arc<str>>,
    /// When what was reached.
    #[serde(serialize_with = "phases")]
    pub phases: Phases,
    /// What limits said, in order.
    pub limits: Vec<Said>,
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
