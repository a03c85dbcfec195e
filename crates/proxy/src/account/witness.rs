//! The witnesses of a request: whatever writes down what happens to it.
//!
//! The steps of a request tell each [`Event`] once. Its [`Record`] takes the numbers from it; the metrics, the access
//! log and explain then make of event and record what they are for. Another witness is a file with its
//! `impl Witness` and a field of [`All`].

use std::cell::{Ref, RefCell};

use http::HeaderValue;
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::access_log::Line;
use super::event::Event;
use super::explain::Explain;
use super::metrics::RequestCounts;
use super::origin::Origin;
use super::record::Record;
use crate::http::partial_head::PartialHead;

/// Writes down something of what happens to a request.
pub trait Witness {
    /// `event` happened `at` that time; `record` has taken it in already.
    fn event(&mut self, at: Instant, event: &Event<'_>, record: &Record);
}

/// A request's record and its witnesses. A request whose end was not told before this is dropped was given up by its
/// client.
pub struct Witnesses<'a> {
    origin: Origin<'a>,
    all: RefCell<All>,
}

struct All {
    record: Record,
    counts: RequestCounts,
    explain: Explain,
    /// Absent: there is no access log.
    line: Option<Box<Line>>,
}

impl<'a> Witnesses<'a> {
    /// A request with this head begins now.
    pub fn begin(
        origin: Origin<'a>,
        request_id: HeaderValue,
        head: &PartialHead<'_>,
        explain: Explain,
        line: Option<Box<Line>>,
    ) -> Self {
        let record = Record::begin(Instant::now(), request_id, head);
        Self { origin, all: RefCell::new(All { record, counts: RequestCounts, explain, line }) }
    }

    /// The numbers so far.
    pub fn record(&self) -> Ref<'_, Record> {
        Ref::map(self.all.borrow(), |all| &all.record)
    }

    /// The time, as exactly as it is written down: read from the clock where explain takes notes, else that of the
    /// request's beginning, which is some microseconds ago while the request has not waited for anything.
    pub fn coarse_now(&self) -> Instant {
        self.all.borrow().coarse_now()
    }

    /// Whether more is written down of it than numbers.
    pub fn takes_notes(&self) -> bool {
        self.all.borrow().explain.takes_notes()
    }

    /// `event` happened [just now](Self::coarse_now).
    ///
    /// This and what it calls are inlined: where an event is told it is known which it is, and what has nothing to do
    /// with it is left out.
    #[inline(always)]
    pub fn tell(&self, event: &Event<'_>) {
        let mut all = self.all.borrow_mut();
        let at = all.coarse_now();
        all.event(at, event);
    }

    /// `event` happened `at` that time.
    #[inline(always)]
    pub fn tell_at(&self, at: Instant, event: &Event<'_>) {
        self.all.borrow_mut().event(at, event);
    }

    /// The response was sent to the end.
    pub fn complete(&self, now: Instant) {
        self.tell_at(now, &Event::Ended { origin: &self.origin });
    }

    /// The response broke off.
    pub fn broken(&self, failure: Failure, now: Instant) {
        self.tell_at(now, &Event::Failed(failure));
        self.complete(now);
    }
}

impl Drop for Witnesses<'_> {
    fn drop(&mut self) {
        let Record { ended, failure, .. } = self.all.get_mut().record;
        match (ended, failure) {
            (Some(_), _) => {}
            (None, Some(_)) => self.complete(Instant::now()),
            (None, None) => self.broken(Failure::ClientGone, Instant::now()),
        }
    }
}

impl All {
    fn coarse_now(&self) -> Instant {
        if self.explain.takes_notes() { Instant::now() } else { self.record.began }
    }

    #[inline(always)]
    fn event(&mut self, at: Instant, event: &Event<'_>) {
        self.record.event(at, event);
        self.counts.event(at, event, &self.record);
        self.explain.event(at, event, &self.record);
        if let Some(line) = &mut self.line {
            line.event(at, event, &self.record);
        }
    }
}
