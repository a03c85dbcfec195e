//! Admission: how a request comes to be one of those that an upstream is busy with.
//!
//! The gate (`tidegate_core::admission`) decides; here are the waiting and the waking. A ticket is the sending half
//! of a one-shot channel, which wakes a waiter on whichever worker it waits, and carries the permit
//! itself: if the waiter has gone meanwhile, the permit is dropped and so given back.

use std::sync::Arc;

use http::StatusCode;
use tidegate_core::admission::{Breaker, Gate, Place, Verdict, Woken};
use tidegate_core::failure::Failure;
use tidegate_core::plan::{self, Priority};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::Upstream;
use crate::clock;
use crate::telemetry::explain::Said;
use crate::telemetry::metrics::UpstreamState;
use crate::worker::Worker;

type Ticket = oneshot::Sender<Result<Permit, Failure>>;

/// What an upstream is given at a time. It lives as long as an upstream of its name, through every reload.
#[derive(Debug)]
pub struct Admission {
    gate: Gate<Ticket>,
    retries: Breaker,
    /// Open connections.
    pub connections: Breaker,
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

    /// How it is at this moment.
    pub fn state(&self) -> UpstreamState {
        let gate = &self.gate;
        UpstreamState { in_flight: gate.inside(), limit: gate.limit(), queued: gate.waiting() }
    }

    /// Whether more is asked of the upstream than it can do.
    pub fn is_overloaded(&self) -> bool {
        self.gate.is_shedding()
    }

    /// What it says of a request that it let in or did not, for people.
    pub fn said(&self, allowed: bool) -> Said {
        let UpstreamState { in_flight, limit, queued } = self.state();
        let (in_flight, queued) = (Some(in_flight), Some(queued));
        Said { limit: "requests", allowed, in_flight, most: limit, queued }
    }

    /// Tell those whose wait is over.
    fn tell(self: &Arc<Self>, woken: Woken<Ticket>) {
        for (ticket, verdict) in woken {
            let verdict = match verdict {
                Verdict::In => Ok(Permit::begin(self.clone(), Instant::now())),
                Verdict::Shed | Verdict::Displaced => Err(Failure::Overloaded),
            };
            // A permit that nobody takes is dropped, and so given back.
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
    told: bool,
    /// When it ends, where that is known.
    ends: Option<Instant>,
}

impl Permit {
    fn begin(admission: Arc<Admission>, now: Instant) -> Self {
        Self { admission, began: now, told: false, ends: None }
    }

    /// When it was given.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The head of a response came at `now`.
    pub fn answered(&mut self, status: StatusCode, now: Instant) {
        self.told = true;
        let (latency, now) = (now.saturating_duration_since(self.began), clock::moment(now));
        let gate = &self.admission.gate;
        let woken = match status.is_server_error() {
            true => gate.unanswered(latency, now),
            false => gate.answered(latency, now),
        };
        self.admission.tell(woken);
    }

    /// It is given back now, by who has just looked at the clock.
    pub fn ends(&mut self, now: Instant) {
        self.ends = Some(now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let now = self.ends.unwrap_or_else(Instant::now);
        let (held, now) = (now.saturating_duration_since(self.began), clock::moment(now));
        if !self.told {
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
        let limit = self.plan.limits.retries.unwrap_or(u32::MAX);
        self.admission.retries.take(limit).then(|| RetryPermit(self.admission.clone()))
    }

    /// A permit at once or never: for what is not worth waiting.
    pub fn try_admit(&self, now: Instant) -> Option<Permit> {
        let admission = &self.admission;
        self.balancer.renew(clock::moment(now));
        admission.gate.fit(self.balancer.room());
        admission.gate.enter().then(|| Permit::begin(admission.clone(), now))
    }

    /// A permit, after a wait if there is none at once.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn admit(
        &self,
        worker: &Worker,
        class: Priority,
        now: Instant,
    ) -> Result<Permit, Failure> {
        match self.try_admit(now) {
            Some(permit) => Ok(permit),
            None => {
                let waited = Box::pin(self.wait(class)).await;
                let failure = waited.as_ref().err().copied();
                self.metrics.queued(worker.index, now.elapsed(), class, failure);
                waited
            }
        }
    }

    async fn wait(&self, class: Priority) -> Result<Permit, Failure> {
        let (ticket, verdict) = oneshot::channel();
        let joined = self.admission.gate.wait(class, clock::now(), ticket);
        let (place, woken) = joined.map_err(|_| Failure::QueueFull)?;
        let waiting = Waiting { admission: &self.admission, place };
        self.admission.tell(woken);
        match timeout(self.plan.limits.queue.timeout.duration(), verdict).await {
            Ok(verdict) => verdict.unwrap_or(Err(Failure::Internal)),
            Err(_) => {
                drop(waiting);
                self.admit_late().ok_or(Failure::QueueTimeout)
            }
        }
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
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.admission.gate.give_up(self.place);
    }
}
