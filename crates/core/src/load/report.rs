//! What an endpoint says of its own load.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::time::Moment;

/// How long a report is believed: Prequal's age of a probe.
const AGE: Duration = Duration::from_secs(1);
/// In place of the others in flight: the endpoint has all the load that it can take.
const FULL: u32 = u32::MAX;

/// An endpoint's word on its own load, by a probe or in a response's header.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report {
    /// Requests in flight there, whoever sent them.
    pub in_flight: Option<u32>,
    /// Latency near that number in flight, in seconds.
    pub latency: Option<f64>,
    /// Used share of what it can do; from 1 on it is over its limit.
    pub utilization: Option<f64>,
    /// Requests a second that it serves, whoever sends them.
    pub rate: Option<f64>,
}

/// The last report of an endpoint, as policies use it.
///
/// A report is stale when it comes, and several requests are decided by one. So what is kept of its
/// requests in flight is those of others, to which the own ones of each moment are added.
#[derive(Debug)]
pub(super) struct Reported {
    at: AtomicU64,
    others: AtomicU32,
    /// Seconds, as the bits of an `f32`; NaN if it was not told.
    latency: AtomicU32,
}

impl Default for Reported {
    fn default() -> Self {
        let latency = AtomicU32::new(f32::NAN.to_bits());
        Self { at: AtomicU64::new(0), others: AtomicU32::new(0), latency }
    }
}

impl Reported {
    /// A report came at `now`, while `own` requests of this process were in flight there and answers
    /// took `latency` seconds.
    pub(super) fn record(&self, report: Report, own: u32, latency: Option<f64>, now: Moment) {
        let latency = report.latency.or(latency);
        // Little's law: requests in flight = rate · latency.
        let by_rate = || Some((report.rate? * latency?).round() as u32);
        let in_flight = report.in_flight.or_else(by_rate).unwrap_or(own);
        let full = report.utilization.is_some_and(|utilization| utilization >= 1.0);
        let others = if full { FULL } else { in_flight.saturating_sub(own).min(FULL - 1) };
        self.others.store(others, Relaxed);
        let seconds = report.latency.map_or(f32::NAN, |latency| latency as f32);
        self.latency.store(seconds.to_bits(), Relaxed);
        self.at.store(now.0, Relaxed);
    }

    /// Others' requests in flight; 0 if there is no fresh report, `None` if the endpoint is full.
    pub(super) fn others(&self, now: Moment) -> Option<u32> {
        match self.others.load(Relaxed) {
            _ if !self.is_fresh(now) => Some(0),
            FULL => None,
            others => Some(others),
        }
    }

    /// The latency that was told, in seconds.
    pub(super) fn latency(&self, now: Moment) -> Option<f64> {
        let latency = f32::from_bits(self.latency.load(Relaxed));
        (!latency.is_nan() && self.is_fresh(now)).then_some(f64::from(latency))
    }

    fn is_fresh(&self, now: Moment) -> bool {
        let at = self.at.load(Relaxed);
        at > 0 && now.since(Moment(at)) <= AGE
    }
}
