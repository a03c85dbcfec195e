//! What an endpoint says of its own load.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::time::Moment;

/// How long a report is believed: Prequal's age of a probe.
const AGE: Duration = Duration::from_secs(1);
/// In place of the others in flight: the endpoint has all the load that it can take.
const FULL: u32 = u32::MAX;

/// What an endpoint reports of its own load, by a probe or in a response's header.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report {
    /// Requests in flight there, those of other clients included.
    pub in_flight: Option<u32>,
    /// Latency near that number in flight, in seconds.
    pub latency: Option<f64>,
    /// Used share of what it can do; from 1 on it is over its limit.
    pub utilization: Option<f64>,
    /// Requests a second that it serves, those of other clients included.
    pub rate: Option<f64>,
}

/// The last report of an endpoint, as policies use it.
///
/// A report is stale when it comes, and several requests are decided by one. So what is kept of its
/// requests in flight is those of others, to which the own ones of each moment are added; and the latency
/// that it tells moves with what this process sees at its own level of load: taken as it is, it would
/// send everything to one endpoint until the next report.
#[derive(Debug)]
pub(super) struct Reported {
    at: AtomicU64,
    others: AtomicU32,
    /// Seconds, as the bits of an `f32`; NaN if it was not told.
    latency: AtomicU32,
    /// What this process saw when it was told, likewise; NaN before the first answer.
    seen: AtomicU32,
}

impl Default for Reported {
    fn default() -> Self {
        let unknown = || AtomicU32::new(f32::NAN.to_bits());
        let others = AtomicU32::new(0);
        Self { at: AtomicU64::new(0), others, latency: unknown(), seen: unknown() }
    }
}

impl Reported {
    /// A report came at `now`, while `own` requests of this process were in flight there and answers
    /// took `latency` seconds.
    pub(super) fn record(&self, report: Report, own: u32, seen: Option<f64>, now: Moment) {
        let latency = report.latency.or(seen);
        // Little's law: requests in flight = rate · latency.
        let by_rate = || Some((report.rate? * latency?).round() as u32);
        let in_flight = report.in_flight.or_else(by_rate).unwrap_or(own);
        let full = report.utilization.is_some_and(|utilization| utilization >= 1.0);
        let others = if full { FULL } else { in_flight.saturating_sub(own).min(FULL - 1) };
        self.others.store(others, Relaxed);
        let bits = |seconds: Option<f64>| seconds.map_or(f32::NAN, |s| s as f32).to_bits();
        self.latency.store(bits(report.latency), Relaxed);
        self.seen.store(bits(seen), Relaxed);
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

    /// The latency that was told, in seconds, times what this process `sees` now over what it saw then.
    pub(super) fn latency(&self, sees: Option<f64>, now: Moment) -> Option<f64> {
        let told = f64::from(f32::from_bits(self.latency.load(Relaxed)));
        if told.is_nan() || !self.is_fresh(now) {
            return None;
        }
        let seen = f64::from(f32::from_bits(self.seen.load(Relaxed)));
        let moved = sees.map_or(1.0, |sees| sees / seen);
        Some(if moved.is_finite() && moved > 0.0 { told * moved } else { told })
    }

    fn is_fresh(&self, now: Moment) -> bool {
        let at = self.at.load(Relaxed);
        at > 0 && now.since(Moment(at)) <= AGE
    }
}
