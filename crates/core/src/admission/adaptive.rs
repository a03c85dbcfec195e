//! How many requests at a time are good for an upstream, found by trying.
//!
//! While latency is what it usually is, there is no limit, and nothing is done to any request. When the
//! mean latency rises far above its long-term base, there are two explanations: requests queue
//! in the upstream (then fewer at a time are answered as often, and sooner), or the upstream has become
//! slower (then fewer at a time are just fewer). The estimators in the literature (the gradient of
//! Netflix's concurrency-limits and of Envoy, Vegas) take the first for granted, and throttle an
//! upstream that waits for a slow disk until it starves. Here a *trial* decides: for a moment fewer
//! are let in, the others wait, and only if as many answers come as before, sooner, the limit stays.
//!
//! While it is in force the limit follows Vegas: of the requests inside, rate × (latency − base) queue
//! in the upstream (Little's law); those beyond a small slack are taken off. Every few seconds another
//! trial, with a part of the limit, measures the base again, as BBR does to find its round-trip time
//! (Cardwell et al., ACM Queue 2016): a limit kept by its own queueing would drift.

use std::time::Duration;

use super::base::Base;
use crate::plan;
use crate::time::Moment;

/// Latency is suspicious above this multiple of its base …
const RISE: f64 = 2.0;
/// … and this far above it.
const DELAY: f64 = 0.050;
/// Suspicious windows in a row that lead to a trial.
const SUSPICIOUS: u32 = 3;
/// Queueing in the upstream that is wanted, in parts of the base and in seconds: without it, every
/// fluctuation would leave a server idle.
const SLACK: (f64, f64) = (0.1, 0.002);
/// A first trial lets in no less than this part of what was inside.
const DEEPEST: f64 = 0.1;
/// A trial lets in this part of what is believed to be right: too few show more than too many.
const PART: f64 = 0.7;
/// Answers that decide a trial.
const DECISIVE: u64 = 200;
/// A trial that has not enough answers so long after it settled decides nothing.
const LONGEST_TRIAL: Duration = Duration::from_secs(3);
/// Of the latency before, what a trial must fall to for another, deeper one to be worth it.
const FELL: f64 = 0.85;
/// Of the rate before, what a trial must keep to show that there was a queue.
const KEPT: f64 = 0.8;
/// Time between two trials while the limit is in force …
const TRIAL_EVERY: Duration = Duration::from_secs(10);
/// … and where one found that there is more to find.
const TRIAL_SOON: Duration = Duration::from_secs(2);
/// Windows in a row at whose end a request waited, before a trial: one that is not needed is not made.
const WANTED: u32 = 3;
/// How far one window moves the limit.
const GAIN: f64 = 0.3;
/// How far it grows at least in a window in which nothing waits in the upstream.
const GROWTH: f64 = 0.03;
/// The limit goes away when it has kept no request out for so long.
const PEACE: Duration = Duration::from_secs(5);

const OPEN: Phase =
    Phase::Open { suspicious: 0, seen: Seen { answers: 0, logarithms: 0.0, span: 0.0 } };

/// What was seen in a stretch of time.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// When it began.
    pub since: Moment,
    /// When it ended.
    pub until: Moment,
    /// Requests that were answered.
    pub answers: u64,
    /// Their mean latency.
    pub latency: Duration,
    /// Requests inside at the end.
    pub inside: u32,
    /// Requests that waited at the end.
    pub waiting: usize,
}

/// The limit of one upstream.
#[derive(Debug)]
pub struct Adaptive {
    enabled: bool,
    minimum: f64,
    maximum: f64,
    base: Base,
    /// How long a request is inside, in seconds, while nothing is wrong.
    residence: Base,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No limit.
    Open { suspicious: u32, seen: Seen },
    /// A lower one, to see what comes of it.
    Trial(Trial),
    /// A limit in force.
    Closed(Closed),
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    limit: f64,
    before: Flow,
    /// The limit that is tried to undercut; `None`: there is none yet.
    from: Option<f64>,
    /// How long those take that are let in.
    settling: Duration,
    /// What began before has ended by then.
    settled: Moment,
    ends: Moment,
    seen: Seen,
    /// Whether it is the second.
    again: bool,
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    limit: f64,
    /// No lower until the next trial: a slower upstream must not be taken for a queue.
    floor: f64,
    next_trial: Moment,
    /// When it kept a request out last.
    bound: Moment,
    /// Windows in a row at whose end a request waited.
    wanted: u32,
    /// Answers of late, of which a trial's rate is compared with.
    flow: Flow,
}

/// Answers a second, and their mean latency in seconds.
#[derive(Debug, Clone, Copy)]
struct Flow {
    rate: f64,
    latency: f64,
}

/// Answers of several windows.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    answers: u64,
    logarithms: f64,
    span: f64,
}

impl Seen {
    fn add(&mut self, window: &Window) {
        self.answers += window.answers;
        self.logarithms += window.latency.as_secs_f64().ln() * window.answers as f64;
        self.span += window.span();
    }

    fn flow(&self) -> Flow {
        let answers = self.answers as f64;
        Flow {
            rate: answers / self.span.max(f64::EPSILON),
            latency: (self.logarithms / answers.max(1.0)).exp(),
        }
    }
}

impl Window {
    fn span(&self) -> f64 {
        self.until.since(self.since).as_secs_f64()
    }

    fn flow(&self) -> Flow {
        let mut seen = Seen::default();
        seen.add(self);
        seen.flow()
    }
}

impl Flow {
    /// Requests that queue in the upstream, beyond those that are wanted there.
    fn excess(&self, base: f64) -> f64 {
        self.rate * (self.latency - base * (1.0 + SLACK.0) - SLACK.1)
    }
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            enabled: false,
            minimum: 1.0,
            maximum: f64::INFINITY,
            base: Base::default(),
            residence: Base::default(),
            phase: OPEN,
        }
    }
}

impl Adaptive {
    /// Keep to `plan` from now on; what was learnt is kept.
    pub fn configure(&mut self, plan: &plan::AdaptiveLimit) {
        self.enabled = plan.enabled;
        self.minimum = f64::from(plan.minimum.get());
        self.maximum = plan.maximum.map_or(f64::INFINITY, |most| f64::from(most.get()));
    }

    /// How many requests may be inside; `None`: as many as come.
    pub fn limit(&self) -> Option<u32> {
        let limit = match self.phase {
            _ if !self.enabled => return None,
            Phase::Open { .. } => self.maximum,
            Phase::Trial(trial) => trial.limit,
            Phase::Closed(closed) => closed.limit,
        };
        let limit = limit.max(self.minimum).min(self.maximum);
        limit.is_finite().then_some(limit.round() as u32)
    }

    /// How long an answer takes when nothing is wrong; `None` before the first.
    pub fn usual(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.base.get(f64::NAN)).ok()
    }

    /// Whether it is being tried whether a limit is due.
    pub fn tries_first(&self) -> bool {
        matches!(self.phase, Phase::Trial(Trial { from: None, .. }))
    }

    /// Take in what was seen.
    pub fn learn(&mut self, window: &Window) {
        if window.answers == 0 {
            return;
        }
        self.phase = match self.phase {
            Phase::Open { suspicious, seen } => self.watch(suspicious, seen, window),
            Phase::Trial(trial) => self.judge(trial, window),
            Phase::Closed(closed) => self.follow(closed, window),
        };
    }

    /// No limit: is one due?
    fn watch(&mut self, suspicious: u32, mut seen: Seen, window: &Window) -> Phase {
        let now = window.flow();
        let (inside, base) = (f64::from(window.inside), self.base.get(now.latency));
        if now.latency < (RISE * base).max(base + DELAY) {
            self.base.follow(now.latency, window.span());
            self.residence.follow(inside / now.rate, window.span());
            return OPEN;
        }
        seen.add(window);
        if suspicious + 1 < SUSPICIOUS {
            return Phase::Open { suspicious: suspicious + 1, seen };
        }
        let before = seen.flow();
        let limit = PART * before.rate * self.residence.get(base);
        Phase::Trial(self.attempt(limit.max(inside * DEEPEST), None, before, window))
    }

    fn attempt(&self, limit: f64, from: Option<f64>, before: Flow, window: &Window) -> Trial {
        let limit = limit.max(self.minimum);
        let seconds = |requests: f64| {
            Duration::try_from_secs_f64(requests / before.rate).unwrap_or(LONGEST_TRIAL)
        };
        let settling = seconds(limit).min(LONGEST_TRIAL);
        let drained = seconds(f64::from(window.inside) - limit).min(LONGEST_TRIAL);
        Trial {
            limit,
            before,
            from,
            settling,
            settled: window.until.after(drained + settling),
            ends: window.until.after(drained + settling + LONGEST_TRIAL),
            seen: Seen::default(),
            again: false,
        }
    }

    /// A trial: what came of it?
    fn judge(&mut self, mut trial: Trial, window: &Window) -> Phase {
        if f64::from(window.inside) > trial.limit + 1.0 {
            // What was let in before is still there.
            trial.settled = window.until.after(trial.settling);
        }
        if window.since >= trial.settled {
            trial.seen.add(window);
        }
        let decided = trial.seen.answers >= DECISIVE;
        if !decided && window.until < trial.ends {
            return Phase::Trial(trial);
        }
        let (before, after) = (trial.before, trial.seen.flow());
        let base = self.base.get(after.latency);
        match trial.from {
            None if decided && after.latency <= (before.latency + base) / 2.0 => {
                let inside = f64::from(window.inside);
                let limit = if after.rate < KEPT * before.rate {
                    // Too few for all the servers: this is how long requests take when none waits.
                    self.base.set(after.latency);
                    inside * before.rate / after.rate
                } else {
                    self.base.set(base.min(after.latency));
                    inside - after.excess(base)
                };
                self.close(limit, after, TRIAL_SOON, window)
            }
            None if decided && after.latency <= FELL * before.latency && !trial.again => {
                // There is a queue, but these are still too many.
                let next = self.attempt(trial.limit * PART, None, after, window);
                Phase::Trial(Trial { again: true, ..next })
            }
            None => {
                // No queue: this is how long requests take now.
                self.base.set(if decided { after.latency } else { before.latency });
                OPEN
            }
            Some(limit) if !decided => self.close(limit, before, TRIAL_EVERY, window),
            Some(limit) => {
                let fewer = (limit - trial.limit) / before.rate;
                if before.latency - after.latency >= fewer / 2.0 {
                    self.base.set(base.min(after.latency));
                    self.close(trial.limit, after, TRIAL_SOON, window)
                } else {
                    self.base.set(after.latency);
                    self.close(limit, before, TRIAL_EVERY, window)
                }
            }
        }
    }

    fn close(&self, limit: f64, flow: Flow, next: Duration, window: &Window) -> Phase {
        let limit = limit.clamp(self.minimum, self.maximum.max(self.minimum));
        Phase::Closed(Closed {
            limit,
            floor: limit * PART,
            next_trial: window.until.after(next),
            bound: window.until,
            wanted: 0,
            flow,
        })
    }

    /// A limit is in force: is it right?
    fn follow(&mut self, mut closed: Closed, window: &Window) -> Phase {
        let now = window.flow();
        let inside = f64::from(window.inside);
        let binds = window.waiting > 0 || inside >= closed.limit - 1.0;
        if binds {
            closed.bound = window.until;
        }
        if window.until.since(closed.bound) >= PEACE {
            return OPEN;
        }
        let excess = now.excess(self.base.get(now.latency));
        let mut step = GAIN * (inside - excess - closed.limit);
        if excess < 0.0 {
            step = step.max(GROWTH * closed.limit);
        }
        if step < 0.0 || binds {
            closed.limit = (closed.limit + step).max(closed.floor).max(self.minimum);
        }
        closed.flow.rate += GAIN * (now.rate - closed.flow.rate);
        closed.flow.latency += GAIN * (now.latency - closed.flow.latency);
        closed.wanted = if window.waiting > 0 { closed.wanted + 1 } else { 0 };
        if step < 0.0 && closed.limit <= closed.floor {
            closed.next_trial = closed.next_trial.min(window.until.after(TRIAL_SOON));
        }
        if closed.wanted >= WANTED && window.until >= closed.next_trial {
            let limit = closed.limit;
            return Phase::Trial(self.attempt(limit * PART, Some(limit), closed.flow, window));
        }
        Phase::Closed(closed)
    }
}
