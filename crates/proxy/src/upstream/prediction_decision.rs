//! What was predicted of a request, for people.

use std::time::Duration;

use tidegate_core::admission::Waited;
use tidegate_core::predict::{Arm, Prediction};
use tidegate_core::time::Moment;

use super::Upstream;
use super::cost::CostOf;
use super::observation::Observation;
use crate::account::explain::{Factor, PredictionDecision};

impl Upstream {
    /// What was predicted of a request of this arm: this, with the help of a model where there is an `observation`;
    /// `None`: nothing is learnt of this upstream's requests.
    pub(super) fn prediction_decision(
        &self,
        of: &CostOf<'_>,
        arm: Arm,
        prediction: Option<Prediction>,
        observation: Option<&Observation>,
        now: Moment,
    ) -> Option<PredictionDecision> {
        let predictor = self.predictor.as_deref()?;
        let branch = of.branch(predictor, now);
        let factors = predictor.factors(&branch, now).map(|(by, times)| Factor { by, times });
        let model = observation.and_then(|it| it.model_factor(&predictor.estimate(&branch, now)));
        let weight = match model {
            _ if !arm.predicts => 0.0,
            Some((_, weight)) => weight,
            None => predictor.weight(),
        };
        let model = model.map(|(times, _)| Factor { by: "model", times });
        Some(PredictionDecision {
            cost: prediction.map(|it| it.cost),
            usual: predictor.usual(now).cost(),
            factors: factors.chain(model).collect(),
            weight,
            boost: prediction.map_or(Duration::ZERO, |it| it.boost),
            overtaken: 0,
            declined: None,
        })
    }
}

impl PredictionDecision {
    /// The request waited so.
    pub(super) fn waited(self, Waited { overtaken, declined }: Waited) -> Self {
        Self { overtaken, declined: declined.map(Into::into), ..self }
    }
}
