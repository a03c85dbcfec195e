//! What requests that are over cost, which is learnt from.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::load::{Load, Sent};
use tidegate_core::predict::{Arm, Branch, Ended, Predictor};
use tidegate_core::time::Moment;
use tokio::time::Instant;

use super::Upstream;
use super::cost::CostOf;
use super::observation::Observation;
use super::outbound::Outbound;
use super::predictions::Arrival;
use crate::net::clock;

impl Upstream {
    /// A request that is sent `now`, if it is one of those of whose cost something is learnt once they are over;
    /// `observation` was made of it while it waited.
    pub(super) fn learn(
        &self,
        of: &CostOf<'_>,
        arrival: Arrival,
        observation: Option<Box<Observation>>,
        outbound: &Outbound,
        now: Instant,
    ) -> Option<Rc<Learning>> {
        let predictor = self.predictor.as_ref()?;
        let (drawn, part) = (outbound.random.borrow_mut().fraction(), self.learnt_part(predictor));
        if drawn >= part && observation.is_none() {
            return None;
        }
        let moment = clock::moment(now);
        let (branch, model) = (of.branch(predictor, moment), self.asked_model());
        let by_model = model.as_ref().is_some_and(|model| model.counts());
        let observe = || self.observe(of, predictor, &branch, (drawn, model), moment);
        let observation = observation.or_else(observe);
        Some(Rc::new(Learning {
            predictor: predictor.clone(),
            branch,
            arm: arrival.arm,
            before: now.saturating_duration_since(arrival.at),
            stands_for: part.recip() as f32,
            by_model,
            worker: outbound.worker,
            observation: RefCell::new(observation),
            waited: Cell::default(),
            since: Cell::default(),
        }))
    }

    /// The response to a request began so long after that was sent.
    pub(super) fn began(&self, learning: &Learning, of: &CostOf<'_>, took: Duration, now: Moment) {
        let Learning { predictor, branch, observation, stands_for, .. } = learning;
        let observation = &mut observation.borrow_mut();
        self.observe_slow(observation, (of, predictor, branch), *stands_for, took, now);
    }
}

/// A request under way, of whose cost something is learnt once it is over.
#[derive(Debug)]
pub struct Learning {
    predictor: Arc<Predictor>,
    branch: Branch,
    arm: Arm,
    /// How long its request had been there when it was sent.
    before: Duration,
    /// How many requests it stands for.
    stands_for: f32,
    /// Whether a model predicts that is believed.
    by_model: bool,
    /// The worker's number.
    worker: usize,
    /// What models are told of it; `None`: nothing.
    observation: RefCell<Option<Box<Observation>>>,
    /// How long the rest of the response was waited for, behind its head.
    waited: Cell<Duration>,
    /// Since when it is.
    since: Cell<Option<Instant>>,
}

impl Learning {
    /// Nothing more of the response is there yet.
    pub fn waits(&self) {
        self.since.set(self.since.get().or_else(|| Some(Instant::now())));
    }

    /// More of it came. What passes until more is asked for is the client's time.
    pub fn goes_on(&self) {
        if let Some(since) = self.since.take() {
            self.waited.set(self.waited.get() + since.elapsed());
        }
    }

    /// The request that was `sent` to an endpoint of this `load` is over: its head came after `latency`; where it was not
    /// `answered`, its cost is not known. Returns it with what was expected of it, by which its latency says something
    /// of the endpoint's pace.
    pub fn over(
        &self,
        load: &Load,
        sent: Sent,
        latency: Duration,
        answered: bool,
        now: Moment,
    ) -> Sent {
        let whole = latency + self.waited.get();
        let ended = Ended {
            arm: self.arm,
            cost: answered.then(|| load.cost(sent, whole)).flatten(),
            took: answered.then(|| self.before + whole),
            stands_for: self.stands_for.round() as u32,
            by_model: self.by_model,
        };
        if let (Some(observation), Some(cost)) = (self.observation.take(), ended.cost) {
            observation.over(&self.predictor, self.worker, cost, now);
        }
        let expected = self.predictor.ended(&self.branch, ended, now);
        if expected == 0.0 || latency.is_zero() {
            return sent;
        }
        // A cost is of the whole response, a latency of its head.
        let of_head = latency.div_duration_f32(whole).ln();
        sent.expecting(expected + of_head)
    }
}
