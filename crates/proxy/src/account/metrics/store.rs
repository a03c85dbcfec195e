//! What is counted of stores.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::rate::fleet::Tokens;

use super::histogram::{Histogram, HistogramTotal, histogram};
use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::Counter;

/// Counts of one store; the thread that speaks to stores counts.
#[derive(Debug)]
pub struct StoreMetrics {
    name: Box<str>,
    answers: Histogram,
    leased: Counter,
    credit: Counter,
    returned: Counter,
}

impl StoreMetrics {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            answers: Histogram::default(),
            leased: Counter::default(),
            credit: Counter::default(),
            returned: Counter::default(),
        }
    }

    /// Counts a round trip.
    pub fn answered(&self, took: Duration) {
        self.answers.observe(took);
    }

    /// Counts units that moved.
    pub fn moved(&self, tokens: Tokens) {
        self.leased.add(tokens.leased);
        self.credit.add(tokens.credit);
        self.returned.add(tokens.returned);
    }
}

/// What is counted of stores.
pub(super) fn families(page: &mut Exposition, stores: &[Arc<StoreMetrics>]) {
    let mut family =
        page.family("tidegate_store_seconds", Kind::Histogram, "Round trips to a store.");
    for store in stores {
        let mut total = HistogramTotal::default();
        total.add(&store.answers);
        histogram(&mut family, &[("store", &*store.name)], &total);
    }
    let mut family = page.family(
        "tidegate_store_tokens_total",
        Kind::Counter,
        "Units of rate limits that a store leased, that were spent without a lease, and that were given back unspent.",
    );
    for store in stores {
        let kinds =
            [("leased", &store.leased), ("credit", &store.credit), ("returned", &store.returned)];
        for (kind, count) in kinds {
            family.sample(&[("store", &store.name), ("kind", kind)], count.get());
        }
    }
}
