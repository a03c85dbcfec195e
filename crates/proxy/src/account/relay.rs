//! A relay: what happens to a request that is sent on behalf of another, kept until it is told to that one's witnesses.
//!
//! A response that is fetched to be stored outlives the request that asked for it first, so it cannot tell that one's
//! witnesses itself.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::event::{Event, TryOutcome};
use super::explain::{Choice, LimitDecision, PredictionDecision};
use super::metrics::EndpointMetrics;
use super::witness::Witnesses;

/// Most events that are kept.
const MOST: usize = 64;

/// What happened, in order.
pub struct Relay {
    /// Whether it is written down how endpoints stood, and what was predicted.
    takes_notes: bool,
    kept: RefCell<Vec<(Instant, Kept)>>,
}

/// An event that owns what it tells.
enum Kept {
    LimitDecided(LimitDecision),
    CostPredicted(Box<PredictionDecision>),
    UpstreamAdmitted(LimitDecision),
    EndpointChosen(bool, Choice),
    TryBegan(Arc<EndpointMetrics>),
    TryConnected(Arc<EndpointMetrics>),
    TryFailed(Arc<EndpointMetrics>, TryOutcome),
    ResponseStarted(Arc<EndpointMetrics>, StatusCode, Duration),
}

impl Relay {
    /// Nothing happened yet. `takes_notes`: whether it is written down how endpoints stood, and what was predicted.
    pub fn new(takes_notes: bool) -> Self {
        Self { takes_notes, kept: RefCell::default() }
    }

    /// `event` happened `at` that time.
    pub fn tell_at(&self, at: Instant, event: &Event<'_>) {
        let mut kept = self.kept.borrow_mut();
        if let Some(event) = self.keep(event).filter(|_| kept.len() < MOST) {
            kept.push((at, event));
        }
    }

    fn keep(&self, event: &Event<'_>) -> Option<Kept> {
        Some(match event {
            Event::LimitDecided(decision) => Kept::LimitDecided(decision.clone()),
            Event::UpstreamAdmitted { decision } => Kept::UpstreamAdmitted(decision()),
            Event::CostPredicted { decision } if self.takes_notes => {
                Kept::CostPredicted(Box::new(decision()))
            }
            Event::EndpointChosen { found, choice } if self.takes_notes || !found => {
                Kept::EndpointChosen(*found, choice())
            }
            Event::TryBegan(endpoint) => Kept::TryBegan((*endpoint).clone()),
            Event::TryConnected(endpoint) => Kept::TryConnected((*endpoint).clone()),
            Event::TryFailed { endpoint, outcome } => {
                Kept::TryFailed((*endpoint).clone(), *outcome)
            }
            Event::ResponseStarted { endpoint, status, took } => {
                Kept::ResponseStarted((*endpoint).clone(), *status, *took)
            }
            _ => return None,
        })
    }

    /// Tell all of it to these `witnesses`, once.
    pub fn retell(&self, witnesses: &Witnesses<'_>) {
        for (at, kept) in self.kept.take() {
            match &kept {
                Kept::LimitDecided(decision) => {
                    witnesses.tell_at(at, &Event::LimitDecided(decision.clone()));
                }
                Kept::CostPredicted(decision) => {
                    let decision = || (**decision).clone();
                    witnesses.tell_at(at, &Event::CostPredicted { decision: &decision });
                }
                Kept::UpstreamAdmitted(decision) => {
                    let decision = || decision.clone();
                    witnesses.tell_at(at, &Event::UpstreamAdmitted { decision: &decision });
                }
                Kept::EndpointChosen(found, choice) => {
                    let choice = || choice.clone();
                    let event = Event::EndpointChosen { found: *found, choice: &choice };
                    witnesses.tell_at(at, &event);
                }
                Kept::TryBegan(endpoint) => witnesses.tell_at(at, &Event::TryBegan(endpoint)),
                Kept::TryConnected(endpoint) => {
                    witnesses.tell_at(at, &Event::TryConnected(endpoint));
                }
                Kept::TryFailed(endpoint, outcome) => {
                    let event = Event::TryFailed { endpoint, outcome: *outcome };
                    witnesses.tell_at(at, &event);
                }
                Kept::ResponseStarted(endpoint, status, took) => {
                    let (status, took) = (*status, *took);
                    let event = Event::ResponseStarted { endpoint, status, took };
                    witnesses.tell_at(at, &event);
                }
            }
        }
    }
}

/// What is told what happens to a request that is sent.
#[derive(Clone, Copy)]
pub enum Listening<'a> {
    /// Nothing: a copy for a mirror, a question of the gateway's own.
    Nothing,
    /// The request's own witnesses.
    Witnesses(&'a Witnesses<'a>),
    /// A relay for those of another request.
    Relay(&'a Relay),
}

impl Listening<'_> {
    /// Whether more is written down than numbers.
    pub fn takes_notes(self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Witnesses(witnesses) => witnesses.takes_notes(),
            Self::Relay(relay) => relay.takes_notes,
        }
    }

    /// `event` happened just now.
    #[inline(always)]
    pub fn tell(self, event: &Event<'_>) {
        match self {
            Self::Nothing => {}
            Self::Witnesses(witnesses) => witnesses.tell(event),
            Self::Relay(relay) => relay.tell_at(Instant::now(), event),
        }
    }

    /// `event` happened `at` that time.
    #[inline(always)]
    pub fn tell_at(self, at: Instant, event: &Event<'_>) {
        match self {
            Self::Nothing => {}
            Self::Witnesses(witnesses) => witnesses.tell_at(at, event),
            Self::Relay(relay) => relay.tell_at(at, event),
        }
    }
}
