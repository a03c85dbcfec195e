//! What is predicted of an upstream's requests, and whether it counts.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tidegate_core::admission::{Offer, Supply};
use tidegate_core::balance::needs;
use tidegate_core::plan::{self, PredictMode, Priority};
use tidegate_core::predict::{Arm, Fall, Predictor, Turn};
use tidegate_core::time::Moment;
use tokio::time::Instant;

use super::cost::CostOf;
use super::live::LiveUpstream;
use super::served_model::ServedModel;
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
            predictor.comparison().refused(arrival.arm);
        }
    }

    /// Whether endpoints are picked by what requests are predicted to cost.
    pub(super) fn picks_by_cost(&self) -> bool {
        needs(self.plan.balance.policy).cost
    }

    /// The cost that a part of the requests of the kind of this one stay below, so many standard deviations above the mean of
    /// the logarithm; `None`: nothing that counts for its arm.
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

    /// What a request that goes in gets is compared with what it could wait for, where predictions count.
    pub(super) fn supply(&self) -> Option<Box<dyn Supply>> {
        let (predictor, model) = (self.believed()?.clone(), self.model.clone());
        Some(Box::new(Workers { predictor, model, membership: self.membership().clone() }))
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
    model: Arc<ArcSwapOption<ServedModel>>,
    membership: Arc<Membership>,
}

impl Supply for Workers {
    fn offer(&self, inside: u32) -> Option<Offer> {
        let by_model = || self.model.load().as_ref().is_some_and(|model| model.counts());
        self.predictor.offer(by_model, || self.membership.balancer.spare(inside))
    }
}
