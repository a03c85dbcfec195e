//! What is noted of a request while it is under way.

use std::time::Duration;

use http::StatusCode;
use serde::{Serialize, Serializer};
use tidegate_core::balance::Candidate;
use tidegate_core::failure::Failure;
use tidegate_core::plan::BalancePolicy;

/// Most tries, and most words of limits, that are kept of one request.
const MOST: usize = 32;

/// What is noted of a request while it is under way. All times count from its beginning.
#[derive(Debug, Default)]
pub struct Notes {
    /// Whether it was chosen at random.
    pub sampled: bool,
    /// The host it asks for.
    pub host: Option<Box<str>>,
    /// When its route was found.
    pub routed: Option<Duration>,
    /// What limits said, in order.
    pub said: Vec<Said>,
    /// Its tries, in order.
    pub tries: Vec<Try>,
    /// The choice of an endpoint that no try has followed yet.
    pub choice: Option<Choice>,
}

/// A limit's word on a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// `requests`, or what another try depends on: `attempts`, `body_buffer`, `retry_after`, `deadline`,
    /// `retries` or `retry_budget`.
    pub limit: &'static str,
    /// Whether it let the request, or its next try, go on.
    pub allowed: bool,
    /// Requests that were in, itself included; of the limit `requests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// How many might be; absent: as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// Requests that waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<u32>,
}

impl Said {
    /// The word of a limit that has no numbers.
    pub fn plain(limit: &'static str, allowed: bool) -> Self {
        Self { limit, allowed, in_flight: None, most: None, queued: None }
    }
}

/// How an endpoint was chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// Who chose.
    pub policy: BalancePolicy,
    /// Whether the client's cookie named the endpoint.
    pub sticky: bool,
    /// The endpoints as they stood then.
    pub candidates: Vec<Candidate>,
    /// How many more there were.
    pub left_out: usize,
}

/// One try on one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Try {
    #[serde(skip)]
    member: u64,
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
    pub outcome: Ending,
    /// How its endpoint was chosen; absent where that was not noted.
    pub choice: Option<Choice>,
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The head of a response.
    Answered(StatusCode),
    /// No response.
    Failed(Failure),
    /// It was given up: another try won, time ran out or the client left.
    GivenUp,
}

impl Serialize for Ending {
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
    /// A try begins on the endpoint with this id.
    pub fn tried(&mut self, member: u64, endpoint: &str, at: Duration) {
        let choice = self.choice.take();
        if self.tries.len() < MOST {
            self.tries.push(Try {
                member,
                endpoint: endpoint.into(),
                at,
                connected: None,
                ended: None,
                outcome: Ending::GivenUp,
                choice,
            });
        }
    }

    /// The try on an endpoint has a connection.
    pub fn connected(&mut self, member: u64, at: Duration) {
        if let Some(open) = self.open(member) {
            open.connected = Some(at);
        }
    }

    /// The try on an endpoint came to something.
    pub fn ended(&mut self, member: u64, outcome: Ending, at: Duration) {
        if let Some(open) = self.open(member) {
            (open.outcome, open.ended) = (outcome, Some(at));
        }
    }

    /// A limit said something.
    pub fn said(&mut self, said: Said) {
        if self.said.len() < MOST {
            self.said.push(said);
        }
    }

    fn open(&mut self, member: u64) -> Option<&mut Try> {
        self.tries.iter_mut().rev().find(|each| each.member == member && each.ended.is_none())
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
