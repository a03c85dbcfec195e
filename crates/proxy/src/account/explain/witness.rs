//! What explain writes down of a request.

use std::time::Duration;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, StatusCode};
use tidegate_core::balance::SplitMix64;
use tidegate_core::plan;
use tokio::time::Instant;

use super::notes::Notes;
use super::story::{Reason, Story, bounded};
use crate::account::event::{Event, TryOutcome};
use crate::account::origin::Origin;
use crate::account::record::Record;
use crate::account::witness::Witness;

/// Takes notes of a request that is sampled, or of which something went wrong, and keeps its story if it is worth it.
pub struct Explain {
    /// What of the settings is asked for after the beginning: as little as can be, for every request carries it.
    keep: u32,
    slow: plan::Millis,
    identities: bool,
    sampled: bool,
    notes: Option<Box<Notes>>,
}

impl Explain {
    /// A request with these fields begins; they are absent where none could be read.
    pub fn begin(
        settings: plan::Explain,
        random: &mut SplitMix64,
        headers: Option<&HeaderMap>,
    ) -> Self {
        let sampled = settings.keep > 0 && random.fraction() < settings.sample.fraction();
        let notes = sampled.then(|| {
            let host = headers.and_then(|headers| headers.get(HOST)).and_then(text);
            Box::new(Notes { host, ..Notes::default() })
        });
        let plan::Explain { keep, slow, identities, .. } = settings;
        Self { keep, slow, identities, sampled, notes }
    }

    /// Whether times are written down.
    pub fn takes_notes(&self) -> bool {
        self.notes.is_some()
    }

    /// The notes; where there are none yet, they begin with what `record` knows.
    fn notes(&mut self, record: &Record) -> &mut Notes {
        self.notes.get_or_insert_with(|| {
            let mut notes = Box::<Notes>::default();
            if let Some((endpoint, began)) = &record.last_try {
                let began = record.since(*began);
                notes.try_began(endpoint.address(), began);
                if let (Some(took), Ok(status)) =
                    (record.response_head, StatusCode::from_u16(record.status))
                {
                    notes.try_ended(endpoint.address(), TryOutcome::Answered(status), began + took);
                }
            }
            notes
        })
    }

    #[cold]
    fn write_down(&mut self, at: Instant, event: &Event<'_>, record: &Record) {
        if self.keep > 0 {
            let at = record.since(at);
            self.notes(record).event(at, event);
        }
    }

    fn keep_story(&mut self, record: &Record, origin: &Origin<'_>) {
        let slow = self.slow.duration();
        if self.keep > 0
            && let Some(reason) = Reason::of(record, slow, self.sampled)
        {
            self.notes(record);
            let notes = self.notes.take().map_or_else(Notes::default, |notes| *notes);
            let mut story = Story::of(record, notes, reason, origin.listener.name());
            if self.identities {
                let subject = record.identity.as_ref().and_then(|it| it.subject.as_deref());
                story.subject = subject.map(bounded);
            }
            origin.accounts.stories.keep(origin.worker, story, self.keep);
        }
    }
}

impl Witness for Explain {
    #[inline(always)]
    fn event(&mut self, at: Instant, event: &Event<'_>, record: &Record) {
        match event {
            Event::Ended { origin } => self.keep_story(record, origin),
            event if self.takes_notes() || begins_notes(event, record) => {
                self.write_down(at, event, record);
            }
            _ => {}
        }
    }
}

/// Whether `event` is worth notes of any request: something went wrong, or this is no first try.
#[inline(always)]
fn begins_notes(event: &Event<'_>, record: &Record) -> bool {
    match event {
        Event::RouteMissing { .. }
        | Event::LimitDecided(_)
        | Event::AccessDenied { .. }
        | Event::TryFailed { .. } => true,
        Event::AuthenticatorAsked { denies, .. } => *denies,
        Event::RateLimitAsked { denies, .. } => *denies,
        Event::EndpointChosen { found, .. } => !found || record.tries > 0,
        _ => false,
    }
}

impl Notes {
    /// `event` happened `at` that time from the request's beginning on.
    fn event(&mut self, at: Duration, event: &Event<'_>) {
        match event {
            Event::RouteChosen { .. } => self.routed = Some(at),
            Event::RouteMissing { host } => self.host = host.and_then(text),
            Event::LimitDecided(decision) => self.limit_decided(decision.clone()),
            Event::RateLimitAsked { decision, .. } => self.limit_decided(decision()),
            Event::AuthenticatorAsked { decision, .. } => self.authenticator_asked(decision()),
            Event::AccessDenied { decision } => self.access = Some(decision()),
            Event::CacheAsked { decision, .. } => self.cache = Some(decision()),
            Event::CostPredicted { decision } => {
                self.prediction.get_or_insert_with(decision);
            }
            Event::UpstreamAdmitted { decision } => self.limit_decided(decision()),
            Event::EndpointChosen { choice, .. } => self.choice = Some(choice()),
            Event::TryBegan(endpoint) => self.try_began(endpoint.address(), at),
            Event::TryConnected(endpoint) => self.try_connected(endpoint.address(), at),
            Event::TryFailed { endpoint, outcome } => {
                self.try_ended(endpoint.address(), *outcome, at);
            }
            Event::ResponseStarted { endpoint, status, .. } => {
                self.try_ended(endpoint.address(), TryOutcome::Answered(*status), at);
            }
            Event::BodyExpected(_)
            | Event::RateLimitRefused(_)
            | Event::Authenticated(_)
            | Event::Failed(_)
            | Event::Answered(_)
            | Event::BodySent(_)
            | Event::Ended { .. } => {}
        }
    }
}

/// As much of a field's value as is kept.
fn text(value: &HeaderValue) -> Option<Box<str>> {
    Some(bounded(value.to_str().ok()?))
}
