//! A server: workers, one queue, and what can be wrong with them.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use tidegate_core::balance::SplitMix64;
use tidegate_core::load::Levels;
use tidegate_core::time::Moment;

use crate::draw::happens;
use crate::pace::Pace;
use crate::scenario::{self, Phase};

/// How long a server remembers its latencies: as long as `tidegate.probe` does.
const MEMORY: Duration = Duration::from_secs(10);

/// What becomes of a request that reaches a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reception {
    /// A worker begins with it and will be done at this time; `u64::MAX`: never.
    Begun(u64),
    /// It waits for a worker.
    Queued,
    /// It is answered with an error at this time.
    Error(u64),
    /// It cannot be connected to.
    Unreachable,
    /// It will never be answered.
    Lost,
}

/// What a server says of its load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ServerLoad {
    /// Requests there, waiting or worked on.
    pub(crate) in_flight: u32,
    /// Seconds that requests take with so many there; not a number: nothing is known.
    pub(crate) latency: f32,
}

/// A request that waits.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    id: u32,
    work: u64,
    since: u64,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Server {
    workers: u32,
    busy: u32,
    queue: VecDeque<Waiting>,
    room: usize,
    pace: Pace,
    /// Phases with faults, and when they hold.
    faults: Vec<(Range<u64>, Phase)>,
    random: SplitMix64,
    levels: Levels,
    counted: Range<u64>,
    usage: Usage,
}

/// What a server did in the time that is counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Requests that reached it.
    pub(crate) requests: u64,
    /// Requests that a worker began with.
    pub(crate) begun: u64,
    /// How long they had waited, together.
    pub(crate) waited: u64,
    /// Time that workers spent on requests, together.
    pub(crate) busy: u64,
}

impl Server {
    /// The server that `plan` describes; its phases begin with the time that is counted.
    pub(crate) fn new(
        plan: &scenario::Server,
        counted: Range<u64>,
        antagonist: SplitMix64,
        faults: SplitMix64,
    ) -> Self {
        let span = |phase: &Phase| {
            let end = phase.until.map_or(u64::MAX, |until| counted.start.saturating_add(until));
            counted.start.saturating_add(phase.from)..end
        };
        let is_fault = |phase: &&Phase| phase.errors > 0.0 || phase.drops > 0.0 || phase.down;
        Self {
            workers: plan.workers,
            busy: 0,
            queue: VecDeque::with_capacity(64),
            room: plan.queue.map_or(usize::MAX, |room| room as usize),
            pace: Pace::new(plan, counted.start, antagonist),
            faults: plan.phases.iter().filter(is_fault).map(|p| (span(p), p.clone())).collect(),
            random: faults,
            levels: Levels::default(),
            counted,
            usage: Usage::default(),
        }
    }

    /// Request `id` has come.
    pub(crate) fn receive(&mut self, id: u32, work: u64, now: u64) -> Reception {
        if self.counted.contains(&now) {
            self.usage.requests += 1;
        }
        if let Some(fault) = self.fault(now) {
            return fault;
        }
        if self.busy < self.workers {
            self.busy += 1;
            Reception::Begun(self.begin(Waiting { id, work, since: now }, now))
        } else if self.queue.len() < self.room {
            self.queue.push_back(Waiting { id, work, since: now });
            Reception::Queued
        } else {
            Reception::Error(now)
        }
    }

    /// What goes wrong for what comes at `now`, if anything does.
    fn fault(&mut self, now: u64) -> Option<Reception> {
        for (_, phase) in self.faults.iter().filter(|(span, _)| span.contains(&now)) {
            if phase.down {
                return Some(Reception::Unreachable);
            }
            if happens(phase.errors, &mut self.random) {
                return Some(Reception::Error(now + phase.error_after));
            }
            if happens(phase.drops, &mut self.random) {
                return Some(Reception::Lost);
            }
        }
        None
    }

    /// What it says of its load, with what was learnt from a request that came at `since` and is done now.
    pub(crate) fn tell_after(&mut self, since: u64, now: u64) -> ServerLoad {
        let latency = Duration::from_nanos(now - since);
        self.levels.record(self.in_flight(), latency, Moment(now));
        self.tell(now)
    }

    /// What it answers to a probe; `None`: nothing.
    pub(crate) fn probed(&mut self, now: u64) -> Option<ServerLoad> {
        if self.fault(now).is_some() { None } else { Some(self.tell(now)) }
    }

    fn tell(&self, now: u64) -> ServerLoad {
        let in_flight = self.in_flight();
        let latency = self.levels.near(in_flight, Moment(now), MEMORY);
        ServerLoad { in_flight, latency: latency.map_or(f32::NAN, |seconds| seconds as f32) }
    }

    fn in_flight(&self) -> u32 {
        self.busy + self.queue.len() as u32
    }

    /// A worker is done; the request it begins with then, and when it will be done with that.
    pub(crate) fn next(&mut self, now: u64) -> Option<(u32, u64)> {
        let Some(waiting) = self.queue.pop_front() else {
            self.busy -= 1;
            return None;
        };
        Some((waiting.id, self.begin(waiting, now)))
    }

    /// Requests that it works on at once.
    pub(crate) fn workers(&self) -> u32 {
        self.workers
    }

    /// What it did.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    fn begin(&mut self, waiting: Waiting, now: u64) -> u64 {
        let done = self.pace.done_at(waiting.work, now);
        if self.counted.contains(&waiting.since) {
            self.usage.begun += 1;
            self.usage.waited += now - waiting.since;
        }
        let (from, until) = (now.max(self.counted.start), done.min(self.counted.end));
        self.usage.busy += until.saturating_sub(from);
        done
    }
}
