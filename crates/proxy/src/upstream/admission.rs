//! Admission: how a request comes to be one of those that an upstream is busy with.
//!
//! The gate (`tidegate_core::admission`) decides; here are the waiting and the waking. A ticket is the sending half
//! of a one-shot channel, which wakes a waiter on whichever worker it waits, and carries the permit
//! itself: if the waiter has gone meanwhile, the permit is dropped and so given back.

use std::cell::{Cell, Ref, RefCell};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;

use http::StatusCode;
use tidegate_core::admission::{Breaker, Gate, Place, Supply, Verdict, Waited, Woken};
use tidegate_core::failure::Failure;
use tidegate_core::plan::{self, Priority};
use tidegate_core::predict::{Arm, Prediction};
use tidegate_core::time::Moment;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::Upstream;
use super::cost::CostOf;
use super::foreseen::Foreseen;
use super::observation::Observation;
use super::outbound::Outbound;
use super::predictions::Arrival;
use crate::account::event::Event;
use crate::account::explain::LimitDecision;
use crate::account::relay::Listening;
use crate::http::time_left::TimeLeft;
use crate::net::clock;

type Ticket = oneshot::Sender<Result<Permit, Failure>>;

/// What an upstream is given at a time. It lives as long as an upstream of its name, through every reload.
#[derive(Debug)]
pub struct Admission {
    gate: Gate<Ticket>,
    retries: Breaker,
    /// Open connections.
    pub connections: Breaker,
}

/// What an upstream has to do at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Requests admitted and not finished, over all workers.
    pub in_flight: u32,
    /// How many may be; `None`: as many as come.
    pub limit: Option<u32>,
    /// Requests that wait.
    pub queued: u32,
}

impl Admission {
    /// For an upstream with these limits.
    pub fn new(limits: &plan::UpstreamLimits) -> Arc<Self> {
        Arc::new(Self {
            gate: Gate::new(limits),
            retries: Breaker::default(),
            connections: Breaker::default(),
        })
    }

    /// Keep to `limits`, and to the `room` that the endpoints have, from now on.
    pub fn configure(self: &Arc<Self>, limits: &plan::UpstreamLimits, room: u32) {
        self.gate.fit(room);
        let woken = self.gate.configure(limits, clock::now());
        self.tell(woken);
    }

    /// Hold requests back from what this offers and is not worth it to them; `None`: none is held back.
    pub fn hold_by(&self, supply: Option<Box<dyn Supply>>) {
        self.gate.hold_by(supply);
    }

    /// How it is at this moment.
    pub fn occupancy(&self) -> Occupancy {
        let gate = &self.gate;
        Occupancy { in_flight: gate.inside(), limit: gate.limit(), queued: gate.waiting() }
    }

    /// Whether more is asked of the upstream than it can do.
    pub fn is_overloaded(&self) -> bool {
        self.gate.is_shedding()
    }

    /// What it decided on a request that it let in or did not, for people.
    pub fn decision(&self, allowed: bool) -> LimitDecision {
        let Occupancy { in_flight, limit, queued } = self.occupancy();
        let (in_flight, queued) = (Some(in_flight), Some(queued));
        LimitDecision {
            in_flight,
            most: limit,
            queued,
            ..LimitDecision::plain("requests", allowed)
        }
    }

    /// Tell those whose wait is over.
    fn tell(self: &Arc<Self>, woken: Woken<Ticket>) {
        for (ticket, verdict) in woken {
            let verdict = match verdict {
                Verdict::In => Ok(Permit::begin(self.clone(), Instant::now())),
                Verdict::Shed | Verdict::Displaced => Err(Failure::Overloaded),
            };
            // A permit whose request is gone is dropped, and so given back.
            drop(ticket.send(verdict));
        }
    }
}

/// One of the retries that an upstream may have; given back when dropped.
#[derive(Debug)]
pub struct RetryPermit(Arc<Admission>);

impl Drop for RetryPermit {
    fn drop(&mut self) {
        self.0.retries.release();
    }
}

/// One of the requests that an upstream is busy with; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    began: Instant,
    /// The request that it was given to.
    arrival: Arrival,
    /// Whether the gate knows how the endpoints answered.
    answered: Cell<bool>,
    /// When it ends, where that is known.
    ends: Cell<Option<Instant>>,
    /// What was foreseen of its request before that is sent.
    foreseen: RefCell<Option<Box<Foreseen>>>,
}

impl Permit {
    fn begin(admission: Arc<Admission>, now: Instant) -> Self {
        let arrival = Arrival { at: now, priority: Priority::Normal, arm: Arm::PLAIN };
        let (answered, ends) = (Cell::new(false), Cell::new(None));
        Self { admission, began: now, arrival, answered, ends, foreseen: RefCell::default() }
    }

    /// It is given to a request that came then.
    fn to(mut self, arrival: Arrival) -> Self {
        self.arrival = arrival;
        self
    }

    /// When it was given.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The request that it was given to.
    pub fn arrival(&self) -> Arrival {
        self.arrival
    }

    /// This is foreseen of its request, before that is sent.
    pub(super) fn foresee(&self, foreseen: Foreseen) {
        self.foreseen.replace(Some(Box::new(foreseen)));
    }

    /// What is foreseen of its request, where it is.
    pub(super) fn foreseen(&self) -> Ref<'_, Option<Box<Foreseen>>> {
        self.foreseen.borrow()
    }

    /// What was observed of its request before that is sent; told once.
    pub(super) fn observation(&self) -> Option<Box<Observation>> {
        self.foreseen.borrow_mut().as_mut()?.observation.take()
    }

    /// The head of a response came at `now`.
    pub fn answered(&self, status: StatusCode, now: Instant) {
        self.answered.set(true);
        let (latency, now) = (now.saturating_duration_since(self.began), clock::moment(now));
        let gate = &self.admission.gate;
        let woken = match status.is_server_error() {
            true => gate.unanswered(latency, now),
            false => gate.answered(latency, now),
        };
        self.admission.tell(woken);
    }

    /// It is given back `now`, which was read from the clock already.
    pub fn ends(&self, now: Instant) {
        self.ends.set(Some(now));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let now = self.ends.get().unwrap_or_else(Instant::now);
        let (held, now) = (now.saturating_duration_since(self.began), clock::moment(now));
        if !self.answered.get() {
            let woken = self.admission.gate.unanswered(held, now);
            self.admission.tell(woken);
        }
        self.admission.gate.record_residence(held);
        let woken = self.admission.gate.leave(now);
        self.admission.tell(woken);
    }
}

impl Upstream {
    /// A permit to try once more, held until that try has come to something; `None` if as many retries as may
    /// be are in flight.
    pub fn admit_retry(&self) -> Option<RetryPermit> {
        let limit = self.plan.limits.retries.map_or(u32::MAX, NonZeroU32::get);
        self.admission.retries.take(limit).then(|| RetryPermit(self.admission.clone()))
    }

    /// A permit at once or never: for what is not worth waiting.
    pub fn try_admit(&self, outbound: &Outbound, now: Instant) -> Option<Permit> {
        self.admit_at_once(outbound, Priority::Normal, now)
    }

    fn admit_at_once(
        &self,
        outbound: &Outbound,
        priority: Priority,
        now: Instant,
    ) -> Option<Permit> {
        let admission = &self.admission;
        let membership = self.membership();
        let moment = clock::moment(now);
        membership.renew(moment, &outbound.long_work);
        admission.gate.fit(membership.balancer.room());
        let limit = || admission.gate.limit().map_or(f32::INFINITY, |limit| limit as f32);
        self.renew_predictions(|| membership.balancer.capacity().min(limit()).into(), moment);
        let permit = || Permit::begin(admission.clone(), now).to(self.arrival(now, priority));
        admission.gate.enter().then(permit)
    }

    /// A permit, after a wait if there is none at once.
    ///
    /// # Errors
    /// Why there is none.
    #[expect(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
    pub fn admit<'a>(
        &'a self,
        outbound: &'a Outbound,
        cost_of: &'a CostOf<'a>,
        time_left: TimeLeft<'a>,
        listening: Listening<'a>,
        now: Instant,
    ) -> impl Future<Output = Result<Permit, Failure>> {
        async move {
            match self.admit_at_once(outbound, cost_of.priority, now) {
                Some(permit) => Ok(permit),
                None => self.admit_later(outbound, cost_of, time_left, listening, now).await,
            }
        }
    }

    #[cold]
    fn admit_later<'a>(
        &'a self,
        outbound: &'a Outbound,
        cost_of: &'a CostOf<'a>,
        time_left: TimeLeft<'a>,
        listening: Listening<'a>,
        now: Instant,
    ) -> Pin<Box<dyn Future<Output = Result<Permit, Failure>> + 'a>> {
        Box::pin(async move {
            let class = cost_of.priority;
            let (arrival, joins) = (self.arrival(now, class), clock::now());
            let foreseen = self.foresee(cost_of, arrival.arm, outbound, joins);
            if arrival.arm.predicts {
                self.metrics.predict.decided(clock::now().since(joins));
            }
            let decide = || self.prediction_decision(cost_of, &foreseen, joins);
            let decision = listening.takes_notes().then(decide).flatten();
            let watched = Cell::default();
            let watch = decision.is_some().then_some(&watched);
            let waited = self.wait(arrival, foreseen.prediction, time_left, watch, joins).await;
            if let Some(decision) = decision {
                let decision = || decision.clone().waited(watched.get());
                listening.tell(&Event::CostPredicted { decision: &decision });
            }
            let failure = waited.as_ref().err().copied();
            self.metrics.queued(outbound.worker, now.elapsed(), class, failure);
            if failure.is_some() {
                self.refused(arrival);
            }
            waited.inspect(|permit| {
                if self.predictor.is_some() {
                    permit.foresee(foreseen);
                }
            })
        })
    }

    /// `watch`: what is to hold how the wait went, once it is over; `None`: nothing.
    async fn wait(
        &self,
        arrival: Arrival,
        prediction: Option<Prediction>,
        time_left: TimeLeft<'_>,
        watch: Option<&Cell<Waited>>,
        now: Moment,
    ) -> Result<Permit, Failure> {
        let left = time_left.left();
        if left.is_some_and(|left| self.admission.gate.is_hopeless(prediction, left)) {
            return Err(Failure::Overloaded);
        }
        let (ticket, verdict) = oneshot::channel();
        let class = arrival.priority;
        let gate = &self.admission.gate;
        let joined = match watch {
            Some(_) => gate.wait_watched(class, prediction, now, ticket),
            None => gate.wait(class, prediction, now, ticket),
        };
        let (place, woken) = joined.map_err(|_| Failure::QueueFull)?;
        let waiting = Waiting { admission: &self.admission, place, watch };
        self.admission.tell(woken);
        let permit = match timeout(self.plan.limits.queue.timeout.duration(), verdict).await {
            Ok(verdict) => verdict.unwrap_or(Err(Failure::Internal)),
            Err(_) => {
                drop(waiting);
                self.admit_late().ok_or(Failure::QueueTimeout)
            }
        };
        permit.map(|permit| permit.to(arrival))
    }

    /// A permit for one that has waited as long as it may, if it waited only because of what is foreseen.
    fn admit_late(&self) -> Option<Permit> {
        let admission = &self.admission;
        let may = self.plan.limits.endpoint_requests.is_none() && admission.gate.enter_late();
        may.then(|| Permit::begin(admission.clone(), Instant::now()))
    }
}

/// A place in the queue; given up when dropped, by a client that left as by one whose turn it was.
struct Waiting<'a> {
    admission: &'a Admission,
    place: Place,
    watch: Option<&'a Cell<Waited>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = self.admission.gate.give_up(self.place);
        if let Some(watch) = self.watch {
            watch.set(waited);
        }
    }
}
