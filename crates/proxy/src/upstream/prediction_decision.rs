//! What was predicted of a request, for people.

use std::time::Duration;

use tidegate_core::admission::Waited;
use tidegate_core::time::Moment;

use super::Upstream;
use super::cost::CostOf;
use super::foreseen::Foreseen;
use crate::account::explain::{Factor, PredictionDecision};

impl Upstream {
    /// What was predicted of a request of which this was `foreseen`; `None`: nothing is learnt of this upstream's
    /// requests.
    pub(super) fn prediction_decision(
        &self,
        of: &CostOf<'_>,
        foreseen: &Foreseen,
        now: Moment,
    ) -> Option<PredictionDecision> {
        let predictor = self.predictor.as_deref()?;
        let Foreseen { prediction, weight, model_factor, .. } = foreseen;
        let branch = of.branch(predictor, now);
        let factors = predictor.factors(&branch, now).map(|(by, times)| Factor { by, times });
        let model = model_factor.map(|times| Factor { by: "model", times });
        Some(PredictionDecision {
            cost: prediction.map(|it| it.cost),
            usual: predictor.usual(now).cost(),
            factors: factors.chain(model).collect(),
            weight: *weight,
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
