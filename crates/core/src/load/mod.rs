//! How loaded each endpoint is.
//!
//! One [`Load`] is shared by all workers of the process, so a balancer sees
//! every request in flight and not only those of its own worker. Measuring load is here; what
//! it means for a request is a matter of [`balance`](crate::balance).

mod ewma;
mod fading;
mod failing;
mod foreseen;
mod levels;
mod orca;
mod overtaking;
mod pace;
mod peak_ewma;
mod report;
mod signals;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_utils::CachePadded;

pub use ewma::Ewma;
pub(crate) use fading::Sample;
pub use foreseen::Foreseen;
pub use levels::Levels;
pub(crate) use overtaking::{Overtaking, Parallelism, Sum};
pub use report::Report;
pub use signals::Signals;

use self::failing::Failing;
use self::foreseen::LastForeseen;
use self::pace::{Latest, Pace};
use self::peak_ewma::PeakEwma;
use self::report::Reported;
use self::work::Work;
use crate::time::Moment;

/// How a request to an endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered.
    Answered,
    /// The endpoint is to blame for the lack of an answer, or the answer was an error or a refusal (429).
    Failed,
    /// The request was given up for a reason that says nothing about the endpoint: the client left.
    Abandoned,
}

/// A request in flight, as the endpoint stood when it was sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Others in flight.
    others: u32,
    /// Requests that had ended.
    ended: u32,
    /// How much longer than usual it was to take, as a logarithm.
    expected: f32,
    /// What it is predicted to cost, in microseconds; 0: nothing is predicted.
    cost: u32,
}

impl Sent {
    /// The same, where it was predicted to take e^`expected` times as long as requests usually do: what an endpoint needs
    /// for light ones says as much of its pace as what it needs for heavy ones.
    #[must_use]
    pub fn expecting(self, expected: f32) -> Self {
        Self { expected, ..self }
    }
}

/// Requests in flight over all endpoints of one upstream.
#[derive(Debug, Default)]
pub struct Total {
    in_flight: CachePadded<AtomicU64>,
}

impl Total {
    /// Requests in flight now.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }
}

/// The load of one endpoint.
///
/// In the order of use: what a pick reads fills the first cache line, what only a request's end writes
/// the second. Together they are 128 bytes; with more, picks among thousands of endpoints become slower.
#[derive(Debug)]
#[repr(C)]
pub struct Load {
    in_flight: AtomicU32,
    connections: AtomicU32,
    foreseen: LastForeseen,
    failing: Failing,
    reported: Reported,
    /// τ of all that is forgotten here, in milliseconds.
    decay: AtomicU32,
    /// What is kept up to date.
    signals: AtomicU8,
    peak: PeakEwma,
    requests: AtomicU64,
    failures: AtomicU64,
    latency: Ewma,
    total: Arc<Total>,
    pace: Pace,
    levels: CachePadded<Levels>,
    overtaking: Overtaking,
    latest: Latest,
    work: Work,
}

impl Load {
    /// An idle endpoint of the upstream that `total` belongs to, whose past weighs 1/e after `decay`, and of which
    /// `signals` are read.
    pub fn new(total: Arc<Total>, decay: Duration, signals: Signals) -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            connections: AtomicU32::new(0),
            foreseen: LastForeseen::default(),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            latency: Ewma::default(),
            peak: PeakEwma::default(),
            failing: Failing::default(),
            decay: AtomicU32::new(millis(decay)),
            signals: AtomicU8::new(signals.bits()),
            total,
            reported: Reported::default(),
            pace: Pace::default(),
            levels: CachePadded::default(),
            overtaking: Overtaking::default(),
            latest: Latest::default(),
            work: Work::default(),
        }
    }

    /// Forget with `decay` from `now` on, and keep `signals` up to date. The peak latency, where it was not read
    /// before, begins with the mean; nothing is foreseen where that is not read any more.
    pub fn configure(&self, decay: Duration, signals: Signals, now: Moment) {
        self.decay.store(millis(decay), Relaxed);
        let before = Signals::from_bits(self.signals.swap(signals.bits(), Relaxed));
        if signals.contains(Signals::PEAK)
            && !before.contains(Signals::PEAK)
            && let Some(mean) = self.latency()
        {
            self.peak.record(mean, now, decay);
        }
        if !signals.contains(Signals::WORKERS) {
            self.foresee(Foreseen::NOTHING);
        }
    }

    /// A request is sent to the endpoint. Every `begin` is followed by exactly one [`finish`](Self::finish).
    pub fn begin(&self) -> Sent {
        self.begin_predicted(None)
    }

    /// The same, of a request for which this cost is predicted.
    pub fn begin_predicted(&self, cost: Option<Duration>) -> Sent {
        let others = self.in_flight.fetch_add(1, Relaxed);
        self.total.in_flight.fetch_add(1, Relaxed);
        let micros = |cost: Duration| u32::try_from(cost.as_micros()).unwrap_or(u32::MAX).max(1);
        let cost = cost.map_or(0, micros);
        if cost > 0 {
            self.work.add(cost);
        }
        Sent { others, ended: self.requests.load(Relaxed) as u32, expected: 0.0, cost }
    }

    /// The request that was `sent` ended at `now`, after `latency`.
    ///
    /// Only answered requests lower the latency: an endpoint that fails fast must not look quick.
    pub fn finish(&self, sent: Sent, outcome: Outcome, latency: Duration, now: Moment) {
        let before = self.in_flight.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "a request finished that never began");
        self.total.in_flight.fetch_sub(1, Relaxed);
        let ended = self.requests.fetch_add(1, Relaxed) as u32;
        let (decay, signals) = (self.decay(), self.signals());
        let is_predicted = sent.cost > 0;
        if is_predicted {
            self.work.take(sent.cost);
        }
        match outcome {
            Outcome::Answered => {
                self.latency.record(latency, now, decay);
                self.failing.answered(now, decay);
                if signals.contains(Signals::PEAK) {
                    self.peak.record(latency, now, decay);
                }
                if signals.contains(Signals::LEVELS) {
                    self.levels.record(before.saturating_sub(1), latency, now);
                }
                if signals.contains(Signals::WORKERS) {
                    self.overtaking.record(sent.others, ended == sent.ended);
                }
                if signals.contains(Signals::WORKERS) || is_predicted {
                    let typical =
                        self.pace.record(&self.latest, latency, sent.expected, now, decay);
                    if is_predicted {
                        self.work.answered(latency, typical, sent.expected, now, decay);
                    }
                }
            }
            Outcome::Failed => {
                self.failures.fetch_add(1, Relaxed);
                self.failing.failed(now, decay);
                if signals.contains(Signals::PEAK) {
                    self.peak.record_failure(latency, now);
                }
            }
            Outcome::Abandoned => {}
        }
    }

    /// A request could not even be sent at `now`: no connection came about.
    pub fn unreachable(&self, now: Moment) {
        self.failing.failed(now, self.decay());
    }

    /// The endpoint told at `now` how loaded it is.
    pub fn report(&self, report: Report, now: Moment) {
        let own = self.in_flight();
        self.reported.record(report, own, self.levels.near(own, now, self.decay()), now);
    }

    /// Take one of the endpoint's connections; false if `limit` are open already.
    ///
    /// Every `true` is followed by exactly one [`close_connection`](Self::close_connection).
    pub fn open_connection(&self, limit: Option<u32>) -> bool {
        let limit = limit.unwrap_or(u32::MAX);
        self.connections
            .fetch_update(Relaxed, Relaxed, |open| (open < limit).then(|| open + 1))
            .is_ok()
    }

    /// A connection was closed.
    pub fn close_connection(&self) {
        let before = self.connections.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "a connection was closed that was never opened");
    }

    /// Requests that began and have not finished.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Connections that are open, idle ones included.
    pub fn connections(&self) -> u32 {
        self.connections.load(Relaxed)
    }

    /// Requests that finished since the endpoint was added.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Those of [`requests`](Self::requests) that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Mean latency of late; `None` before the first answer.
    pub fn latency(&self) -> Option<Duration> {
        self.latency.value()
    }

    /// The share of its requests that failed of late.
    pub fn failing(&self, now: Moment) -> f64 {
        self.failing.share(now, self.decay())
    }

    /// The mean latency that jumps up, in seconds; `None` before the first answer.
    pub fn peak(&self, now: Moment) -> Option<f64> {
        self.peak.value(now, self.decay())
    }

    /// The latency in seconds that a request sent now may expect, as the endpoint itself or else the
    /// past tells; `None` before the first answer.
    pub(crate) fn expected(&self, now: Moment) -> Option<f64> {
        let seen = self.levels.near(self.in_flight(), now, self.decay());
        self.reported.latency(seen, now).or(seen).or_else(|| self.peak(now))
    }

    /// The latency in seconds of a request that has the endpoint to itself, as far as is known of late.
    pub fn unloaded(&self, now: Moment) -> Option<f64> {
        self.levels.near(0, now, self.decay())
    }

    /// Requests in flight that others sent, by the endpoint's own fresh report, 0 without one; `None`
    /// if it reports that it is full.
    pub fn others(&self, now: Moment) -> Option<u32> {
        self.reported.others(now)
    }

    /// What was seen of its workers.
    pub(crate) fn overtaking(&self) -> &Overtaking {
        &self.overtaking
    }

    /// What was seen of how quick it is, as far as that still says something.
    pub(crate) fn pace(&self, now: Moment) -> Sample {
        self.pace.sample(now, self.decay())
    }

    /// What was seen of how quick it is, however long ago.
    pub(crate) fn latest_pace(&self) -> Sample {
        self.pace.latest()
    }

    /// The work of its requests in flight of which a cost is predicted, in seconds at an endpoint of usual pace.
    pub(crate) fn backlog(&self) -> f64 {
        self.work.backlog()
    }

    /// How long, in seconds, requests of which a cost is predicted took beyond their own work of late.
    pub(crate) fn wait(&self, now: Moment) -> f64 {
        self.work.wait(now, self.decay())
    }

    /// Expect this from now on.
    pub(crate) fn foresee(&self, foreseen: Foreseen) {
        self.foreseen.store(foreseen);
    }

    /// What is to be expected of it.
    pub fn foreseen(&self) -> Foreseen {
        self.foreseen.load()
    }

    /// How long an endpoint of usual pace would have been taken by a request that was `sent` and ended after `latency`;
    /// `None` where it may have waited for a worker, and the latency says something else.
    pub fn cost(&self, sent: Sent, latency: Duration) -> Option<Duration> {
        let Foreseen { workers, pace } = self.foreseen();
        // Where the workers are not known, one is free if there is no other request.
        let found_one = sent.others < workers.unwrap_or(1);
        found_one.then(|| latency.div_f32(pace.unwrap_or(1.0)))
    }

    /// Whether one more request would have to wait there, as far as is known.
    pub(crate) fn is_busy(&self) -> bool {
        self.foreseen.is_busy(self.in_flight())
    }

    fn decay(&self) -> Duration {
        Duration::from_millis(self.decay.load(Relaxed).into())
    }

    fn signals(&self) -> Signals {
        Signals::from_bits(self.signals.load(Relaxed))
    }
}

const _: () = assert!(std::mem::offset_of!(Load, levels) == 128);

fn millis(decay: Duration) -> u32 {
    u32::try_from(decay.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
