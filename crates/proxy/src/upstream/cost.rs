//! What requests cost: learnt of those that are over, predicted of those that must wait.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::request;
use tidegate_core::admission::{Offer, Supply};
use tidegate_core::balance::needs;
use tidegate_core::load::{Load, Sent};
use tidegate_core::plan::{self, PredictMode, Priority};
use tidegate_core::predict::{Arm, Branch, Described, Ended, Fall, Prediction, Predictor, Turn};
use tidegate_core::time::Moment;
use tokio::time::Instant;

use super::live::LiveUpstream;
use super::observation::Observation;
use super::outbound::Outbound;
use super::{Membership, Upstream};
use crate::account::outbox::Notice;
use crate::net::clock;

/// What predicts for the upstream of this `plan`, where that is asked for: what the one `before` it has, or one that goes on
/// from what an earlier process learnt, or one that knows nothing yet.
pub(super) fn predictor(
    plan: &plan::Upstream,
    before: Option<&Upstream>,
    live: &LiveUpstream,
) -> Option<Arc<Predictor>> {
    let known = || before.and_then(|before| before.predictor.clone());
    let learnt = || Predictor::restored(live.learnt()?, clock::now()).ok();
    // Which paths fall together is nothing that clients can know.
    let new = || Predictor::new(RandomState::new().hash_one(0));
    (plan.predict.mode != PredictMode::Off)
        .then(|| known().unwrap_or_else(|| Arc::new(learnt().unwrap_or_else(new))))
}

/// When a request came to an upstream, in which class, and whether predictions count for it.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When that was.
    pub at: Instant,
    /// In which class it waits.
    pub priority: Priority,
    /// Its arm.
    pub arm: Arm,
}

/// A route, by which the costs of its requests are told from those of others.
#[derive(Debug, Clone, Copy)]
pub struct CostRoute {
    /// The hash of its name, which is the same through reloads.
    pub number: u64,
    /// Whether it names the template of all its paths.
    pub has_template: bool,
}

impl CostRoute {
    /// For requests that the gateway makes for itself, which are all alike.
    pub const ALIKE: Self = Self { number: 0, has_template: true };
}

/// A request, by which its cost is predicted and learnt.
#[derive(Debug, Clone, Copy)]
pub struct CostOf<'r> {
    /// Its route.
    pub route: CostRoute,
    /// In which class it waits.
    pub priority: Priority,
    /// Its head.
    pub head: &'r request::Parts,
}

impl<'r> CostOf<'r> {
    pub(super) fn branch(&self, predictor: &Predictor, now: Moment) -> Branch {
        predictor.branch(&self.described(), now)
    }

    pub(super) fn described(&self) -> Described<'r> {
        let Self { route, head, .. } = *self;
        let size = head.headers.get(CONTENT_LENGTH);
        Described {
            route: route.number,
            method: head.method.as_str(),
            path: (!route.has_template).then(|| head.uri.path()),
            size: size.and_then(|size| size.to_str().ok()?.parse().ok()),
        }
    }
}

impl Upstream {
    /// A request of this class came `at` this time.
    pub(super) fn arrival(&self, at: Instant, priority: Priority) -> Arrival {
        let arm = self.believed().map_or(Arm::PLAIN, |one| one.arm(clock::moment(at)));
        Arrival { at, priority, arm }
    }

    /// Keep up with the load, and with what predictions do; `workers`: requests that the endpoints together work on at a
    /// time.
    pub(super) fn renew_predictions(&self, workers: impl FnOnce() -> f64, now: Moment) {
        let turn = self.predictor.as_ref().and_then(|one| one.renew(workers, now));
        if let Some(turn) = turn {
            self.turned(turn);
        }
    }

    /// Log and tell that predictions were turned off or on.
    fn turned(&self, turn: Turn) {
        let upstream = self.plan.name.clone();
        match turn {
            Turn::Off { worse_by, length } => {
                let until = (clock::unix_nanos() as f64) / 1e9 + length.as_secs_f64();
                tracing::warn!(
                    upstream,
                    worse_by,
                    minutes = length.as_secs() / 60,
                    "predictions do harm and are off"
                );
                self.outbox.tell(Notice::PredictionOff { upstream, worse_by, until });
                if let Some(model) = self.model.load().as_ref().filter(|model| model.serves()) {
                    model.fall(Fall::Outcome);
                }
            }
            Turn::On => {
                tracing::info!(upstream, "predictions are on again");
                self.outbox.tell(Notice::PredictionOn { upstream });
            }
        }
    }

    /// A request that came then was not let in.
    pub(super) fn refused(&self, arrival: Arrival) {
        if let Some(predictor) = &self.predictor {
            predictor.trial().refused(arrival.arm);
        }
    }

    /// What is predicted of a request of this arm; `None`: nothing that counts.
    pub(super) fn predict(&self, of: &CostOf<'_>, arm: Arm, now: Moment) -> Option<Prediction> {
        let predictor = self.predictor.as_ref().filter(|_| arm.predicts)?;
        predictor.predict(&of.branch(predictor, now), now)
    }

    /// What a request of this arm is predicted to cost, where its endpoint is picked by that; `None`: nothing that counts.
    pub(super) fn cost_to_pick_by(
        &self,
        of: &CostOf<'_>,
        arm: Arm,
        now: Moment,
    ) -> Option<Duration> {
        let reads = needs(self.plan.balance.policy).cost;
        reads.then(|| self.predict(of, arm, now).map(|prediction| prediction.cost)).flatten()
    }

    /// The cost that, of a request of this arm, a part of the requests of its kind stay below, so many standard deviations above the mean of the
    /// logarithm; `None`: nothing that counts.
    pub(super) fn quantile(
        &self,
        of: &CostOf<'_>,
        arm: Arm,
        deviations: f32,
        now: Moment,
    ) -> Option<Duration> {
        let predictor = self.predictor.as_ref().filter(|_| arm.predicts)?;
        predictor.quantile(&of.branch(predictor, now), deviations, now)
    }

    /// A request that is sent `now`, of whose cost something is learnt once it is over; `observation` was made of it
    /// while it waited.
    pub(super) fn learn(
        &self,
        of: &CostOf<'_>,
        arrival: Arrival,
        observation: Option<Box<Observation>>,
        outbound: &Outbound,
        now: Instant,
    ) -> Option<Rc<Learning>> {
        let (predictor, moment) = (self.predictor.as_ref()?, clock::moment(now));
        let branch = of.branch(predictor, moment);
        let observation =
            observation.or_else(|| self.observe(of, predictor, &branch, outbound, moment));
        Some(Rc::new(Learning {
            predictor: predictor.clone(),
            branch,
            arm: arrival.arm,
            before: now.saturating_duration_since(arrival.at),
            worker: outbound.worker,
            observation: RefCell::new(observation),
            waited: Cell::default(),
            since: Cell::default(),
        }))
    }

    /// The response to a request began so long after that was sent.
    pub(super) fn began(&self, learning: &Learning, of: &CostOf<'_>, took: Duration, now: Moment) {
        let Learning { predictor, branch, observation, .. } = learning;
        self.observe_slow(&mut observation.borrow_mut(), (of, predictor, branch), took, now);
    }

    /// What a request that goes in gets is compared with what it could wait for, where predictions count.
    pub(super) fn supply(&self) -> Option<Box<dyn Supply>> {
        let predictor = self.believed()?.clone();
        Some(Box::new(Workers { predictor, membership: self.membership().clone() }))
    }

    /// The predictor, where something follows from what it says.
    fn believed(&self) -> Option<&Arc<Predictor>> {
        self.predictor.as_ref().filter(|_| self.plan.predict.mode == PredictMode::Auto)
    }
}

/// The workers of an upstream's endpoints, as far as they are foreseen.
#[derive(Debug)]
struct Workers {
    predictor: Arc<Predictor>,
    membership: Arc<Membership>,
}

impl Supply for Workers {
    fn offer(&self, inside: u32) -> Option<Offer> {
        self.predictor.offer(self.membership.balancer.spare(inside)?)
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
