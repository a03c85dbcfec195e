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
    settings: plan::Explain,
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
        Self { settings, sampled, notes }
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

    fn keep_story(&mut self, record: &Record, origin: &Origin<'_>) {
        let slow = self.settings.slow.duration();
        if let Some(reason) = Reason::of(record, slow, self.sampled) {
            self.notes(record);
            let notes = self.notes.take().map_or_else(Notes::default, |notes| *notes);
            let story = Story::of(record, notes, reason, origin.listener.name());
            origin.accounts.stories.keep(origin.worker, story, self.settings.keep);
        }
    }
}

impl Witness for Explain {
    fn event(&mut self, at: Instant, event: &Event<'_>, record: &Record) {
        if self.settings.keep == 0 {
            return;
        }
        match event {
            // What goes wrong, or is no first try, is worth notes of any request.
            Event::RouteMissing { host } => self.notes(record).host = host.and_then(text),
            Event::LimitDecided(decision) => self.notes(record).limit_decided(*decision),
            Event::EndpointChosen { found, choice } => {
                if self.takes_notes() || !found || record.tries > 0 {
                    self.notes(record).choice = Some(choice());
                }
            }
            Event::TryFailed { endpoint, outcome } => {
                self.notes(record).try_ended(endpoint.address(), *outcome, record.since(at));
            }
            Event::Ended { origin } => self.keep_story(record, origin),
            _ => {
                if let Some(notes) = &mut self.notes {
                    notes.event(record.since(at), event);
                }
            }
        }
    }
}

impl Notes {
    /// What is written down only of a request of which notes are taken anyway; `at` counts from its beginning.
    fn event(&mut self, at: Duration, event: &Event<'_>) {
        match event {
            Event::RouteChosen { .. } => self.routed = Some(at),
            Event::UpstreamAdmitted { decision } => self.limit_decided(decision()),
            Event::TryBegan(endpoint) => self.try_began(endpoint.address(), at),
            Event::TryConnected(endpoint) => self.try_connected(endpoint.address(), at),
            Event::ResponseStarted { endpoint, status, .. } => {
                self.try_ended(endpoint.address(), TryOutcome::Answered(*status), at);
            }
            _ => {}
        }
    }
}

/// As much of a field's value as is kept.
fn text(value: &HeaderValue) -> Option<Box<str>> {
    Some(bounded(value.to_str().ok()?))
}
