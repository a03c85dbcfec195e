//! The way into an upstream.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::accumulator::Accumulator;
use super::adaptive::{Adaptive, Window};
use super::breaker::Breaker;
use super::hold::{Asking, Offer, Supply};
use super::lane::DelayTarget;
use super::queue::{Place, Queue};
use super::residence::Residence;
use super::waited::Waited;
use crate::plan::{self, Priority};
use crate::predict::Prediction;
use crate::time::Moment;

/// What becomes of a request that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is in: [`leave`](Gate::leave) follows.
    In,
    /// It waited too long while all of its class did.
    Shed,
    /// It made room for a request of a higher class.
    Displaced,
}

/// Tickets of the requests whose wait is over, to be told by the caller.
pub type Woken<T> = SmallVec<[(T, Verdict); 2]>;

/// Lets requests into an upstream up to a limit; those above it wait.
///
/// While none waits, a request costs an addition on the way in, one on the way out, and one for its
/// latency. The lock is taken only where requests wait, and once for each window of answers.
#[derive(Debug)]
pub struct Gate<T> {
    hot: CachePadded<Hot>,
    supply: ArcSwapOption<Box<dyn Supply>>,
    inner: Mutex<Inner<T>>,
}

/// What every request touches.
#[derive(Debug)]
struct Hot {
    inside: Breaker,
    limit: AtomicU32,
    room: AtomicU32,
    waiting: AtomicU32,
    shedding: AtomicBool,
    adapts: AtomicBool,
    /// Whether there is a supply.
    holds: AtomicBool,
    answers: Accumulator,
    residence: Residence,
    /// How long an answer usually takes, in nanoseconds.
    usual: AtomicU64,
}

#[derive(Debug)]
struct Inner<T> {
    queue: Queue<T>,
    adaptive: Adaptive,
    requests: u32,
    pending: usize,
    delay: DelayTarget,
}

impl<T> Gate<T> {
    /// A gate that no request has passed.
    pub fn new(limits: &plan::UpstreamLimits) -> Self {
        let mut inner = Inner {
            queue: Queue::default(),
            adaptive: Adaptive::default(),
            requests: u32::MAX,
            pending: 0,
            delay: DelayTarget::from(&limits.queue),
        };
        inner.keep_to(limits);
        Self {
            hot: CachePadded::new(Hot {
                inside: Breaker::default(),
                limit: AtomicU32::new(inner.limit()),
                room: AtomicU32::new(u32::MAX),
                waiting: AtomicU32::new(0),
                shedding: AtomicBool::new(false),
                adapts: AtomicBool::new(limits.adaptive.enabled),
                holds: AtomicBool::new(false),
                answers: Accumulator::default(),
                residence: Residence::default(),
                usual: AtomicU64::new(u64::MAX),
            }),
            supply: ArcSwapOption::empty(),
            inner: Mutex::new(inner),
        }
    }

    /// Keep to `limits` from now on; requests that may go in by them are in what this answers. What was learnt is
    /// kept.
    pub fn configure(&self, limits: &plan::UpstreamLimits, now: Moment) -> Woken<T> {
        let inner = &mut *self.inner.lock();
        inner.keep_to(limits);
        self.hot.adapts.store(limits.adaptive.enabled, SeqCst);
        self.hot.limit.store(inner.limit(), SeqCst);
        let mut woken = Woken::new();
        self.admit(inner, now, &mut woken);
        woken
    }

    /// What the endpoints together may have from now on.
    pub fn fit(&self, room: u32) {
        if self.hot.room.load(SeqCst) != room {
            self.hot.room.store(room, SeqCst);
        }
    }

    /// Hold requests back, of which a cost is predicted, from what `supply` offers and is not worth it to them;
    /// `None`: none.
    pub fn hold_by(&self, supply: Option<Box<dyn Supply>>) {
        self.hot.holds.store(supply.is_some(), SeqCst);
        self.supply.store(supply.map(Arc::new));
    }

    /// Go in, if no request waits, there is room, and nothing better to wait for.
    ///
    /// Every `true` is followed by exactly one [`leave`](Self::leave).
    pub fn enter(&self) -> bool {
        self.hot.waiting.load(SeqCst) == 0
            && self.offer().is_none()
            && self.hot.inside.take(self.bound())
    }

    /// Wait, and be named in what this or a later call answers; or be refused with the ticket. What is predicted of the
    /// request decides when it is its turn, and whether it takes what is free then.
    ///
    /// # Errors
    /// The ticket, if as many wait as may.
    pub fn wait(
        &self,
        class: Priority,
        prediction: Option<Prediction>,
        now: Moment,
        ticket: T,
    ) -> Result<(Place, Woken<T>), T> {
        self.join(class, prediction, false, now, ticket)
    }

    /// [Wait](Self::wait), and have it written down how that goes, until it is [given up](Self::give_up).
    ///
    /// # Errors
    /// The ticket, if as many wait as may.
    pub fn wait_watched(
        &self,
        class: Priority,
        prediction: Option<Prediction>,
        now: Moment,
        ticket: T,
    ) -> Result<(Place, Woken<T>), T> {
        self.join(class, prediction, true, now, ticket)
    }

    fn join(
        &self,
        class: Priority,
        prediction: Option<Prediction>,
        is_watched: bool,
        now: Moment,
        ticket: T,
    ) -> Result<(Place, Woken<T>), T> {
        let inner = &mut *self.inner.lock();
        let mut woken = Woken::new();
        let (place, displaced) = inner.queue.push(class, prediction, now, ticket, inner.pending)?;
        if is_watched {
            inner.queue.watch(place);
        }
        woken.extend(displaced.map(|ticket| (ticket, Verdict::Displaced)));
        // Before looking for room: a request that leaves and does not see this has made the room already.
        self.hot.waiting.store(u32::MAX, SeqCst);
        self.admit(inner, now, &mut woken);
        Ok((place, woken))
    }

    /// Whether a request that must wait cannot be over in time: requests are shed, and not even half of what it is predicted
    /// to cost is `left`. While nothing is shed the prediction may be wrong at no cost to others.
    pub fn is_hopeless(&self, prediction: Option<Prediction>, left: Duration) -> bool {
        self.is_shedding() && prediction.is_some_and(|it| it.misses_by_half(left))
    }

    /// Go in after all, where it is only the endpoints' room that there is too little of: what is foreseen of them
    /// may delay a request, not refuse it. A request that waited has [given up](Self::give_up) its place before.
    pub fn enter_late(&self) -> bool {
        self.hot.inside.take(self.hot.limit.load(SeqCst))
    }

    /// Wait no longer, also where the wait is over. Answers with how that went, if it was [watched](Self::wait_watched).
    pub fn give_up(&self, place: Place) -> Waited {
        let inner = &mut *self.inner.lock();
        drop(inner.queue.remove(place));
        self.hot.waiting.store(inner.queue.len() as u32, SeqCst);
        inner.queue.watched(place)
    }

    /// A request that is in got an answer, `latency` after it went in.
    pub fn answered(&self, latency: Duration, now: Moment) -> Woken<T> {
        let mut woken = Woken::new();
        if self.hot.adapts.load(SeqCst)
            && self.hot.answers.add(latency, now)
            && let Some(mut inner) = self.inner.try_lock()
        {
            let sums = self.hot.answers.take(now);
            let window = Window {
                since: sums.since,
                until: now,
                answers: sums.answers,
                latency: sums.latency,
                inside: self.hot.inside.count(),
                waiting: inner.queue.len(),
            };
            inner.adaptive.learn(&window);
            let usual = inner.adaptive.usual().map_or(u64::MAX, |usual| usual.as_nanos() as u64);
            self.hot.usual.store(usual, SeqCst);
            self.hot.limit.store(inner.limit(), SeqCst);
            if !inner.queue.is_empty() {
                self.admit(&mut inner, now, &mut woken);
            }
        }
        woken
    }

    /// A request that is in got no answer, or an error. Failing fast is not being fast; but one that took longer
    /// than usual would have been answered later still.
    pub fn unanswered(&self, latency: Duration, now: Moment) -> Woken<T> {
        match latency.as_nanos() > u128::from(self.hot.usual.load(SeqCst)) {
            true => self.answered(latency, now),
            false => Woken::new(),
        }
    }

    /// A request that is about to leave was in for so long.
    pub fn record_residence(&self, time: Duration) {
        self.hot.residence.record(time);
    }

    /// A request that was in is out.
    pub fn leave(&self, now: Moment) -> Woken<T> {
        self.hot.inside.release();
        let mut woken = Woken::new();
        if self.hot.waiting.load(SeqCst) > 0 {
            self.admit(&mut self.inner.lock(), now, &mut woken);
        }
        woken
    }

    /// Let in as many requests as there is room for.
    fn admit(&self, inner: &mut Inner<T>, now: Moment, woken: &mut Woken<T>) {
        // A trial lasts a moment; what waits meanwhile is not shed for it.
        if !inner.adaptive.tries_first() {
            let delay = inner.delay.at_least(self.hot.residence.usual());
            inner.queue.review(now, delay, |ticket| woken.push((ticket, Verdict::Shed)));
        }
        let bound = self.bound();
        while !inner.queue.is_empty() {
            let offer = self.offer();
            if !self.hot.inside.take(bound) {
                break;
            }
            let asking = Asking::new(offer, inner.queue.len());
            let Some(ticket) = inner.queue.next(asking) else {
                self.hot.inside.release();
                break;
            };
            woken.push((ticket, Verdict::In));
        }
        self.hot.shedding.store(inner.queue.is_shedding(), SeqCst);
        self.hot.waiting.store(inner.queue.len() as u32, SeqCst);
    }

    /// What a request that goes in now gets, where it could wait for something better.
    fn offer(&self) -> Option<Offer> {
        if !self.hot.holds.load(SeqCst) {
            return None;
        }
        self.supply.load().as_ref()?.offer(self.inside())
    }

    fn bound(&self) -> u32 {
        self.hot.limit.load(SeqCst).min(self.hot.room.load(SeqCst))
    }

    /// Requests that are in.
    pub fn inside(&self) -> u32 {
        self.hot.inside.count()
    }

    /// Requests that may be in; `None`: as many as come.
    pub fn limit(&self) -> Option<u32> {
        Some(self.bound()).filter(|limit| *limit < u32::MAX)
    }

    /// Requests that wait.
    pub fn waiting(&self) -> u32 {
        self.hot.waiting.load(SeqCst)
    }

    /// Whether requests wait, and have for so long that some are shed.
    pub fn is_shedding(&self) -> bool {
        self.waiting() > 0 && self.hot.shedding.load(SeqCst)
    }

    /// The longest wait.
    pub fn delay(&self, now: Moment) -> Duration {
        self.inner.lock().queue.delay(now)
    }
}

impl<T> Inner<T> {
    fn keep_to(&mut self, limits: &plan::UpstreamLimits) {
        self.requests = limits.requests.map_or(u32::MAX, NonZeroU32::get);
        self.pending = limits.pending as usize;
        self.delay = DelayTarget::from(&limits.queue);
        self.adaptive.configure(&limits.adaptive);
    }

    fn limit(&self) -> u32 {
        self.requests.min(self.adaptive.limit().unwrap_or(u32::MAX))
    }
}
