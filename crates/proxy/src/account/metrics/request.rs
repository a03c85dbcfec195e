//! Counting requests when they have ended.

use tokio::time::Instant;

use crate::account::event::Event;
use crate::account::origin::Origin;
use crate::account::record::Record;
use crate::account::witness::Witness;

/// Counts a request for its route and its listener.
pub struct RequestCounts;

impl RequestCounts {
    fn count(&self, record: &Record, origin: &Origin<'_>) {
        let (worker, received) = (origin.worker, record.received());
        let route = match &record.route {
            Some((_, route)) => route,
            None => &origin.accounts.unrouted,
        };
        route.finished(worker, record.status, record.took(), received, record.sent);
        origin.listener.transferred(worker, received, record.sent);
        if let Some(failure) = record.failure {
            route.failed(worker, failure);
        }
    }
}

impl Witness for RequestCounts {
    #[inline(always)]
    fn event(&mut self, _at: Instant, event: &Event<'_>, record: &Record) {
        if let Event::Ended { origin } = event {
            self.count(record, origin);
        }
    }
}
