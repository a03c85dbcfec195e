//! What is foreseen of a request before it is sent.

use std::sync::Arc;

use tidegate_core::predict::{Arm, Prediction, Predictor};
use tidegate_core::time::Moment;

use super::Upstream;
use super::cost::CostOf;
use super::observation::Observation;
use super::outbound::Outbound;
use super::served_model::ServedModel;

/// What is foreseen of a request before it is sent: when it must wait, or where its endpoint is picked by its cost.
#[derive(Debug, Default)]
pub struct Foreseen {
    /// What is predicted; `None`: nothing that counts.
    pub(super) prediction: Option<Prediction>,
    /// How far that counts, from 0 to 1.
    pub(super) weight: f32,
    /// How many times as much as is learnt the model says whose word counts; `None`: what is learnt does.
    pub(super) model_factor: Option<f32>,
    /// Its observation, where a model was asked.
    pub(super) observation: Option<Box<Observation>>,
}

impl Foreseen {
    fn learnt(predictor: &Predictor, prediction: Option<Prediction>) -> Self {
        Self { prediction, weight: predictor.weight(), ..Self::default() }
    }
}

impl Upstream {
    /// What is foreseen of a request of this arm.
    pub(super) fn foresee(
        &self,
        of: &CostOf<'_>,
        arm: Arm,
        outbound: &Outbound,
        now: Moment,
    ) -> Foreseen {
        let Some(predictor) = self.predictor.as_ref().filter(|_| arm.predicts) else {
            return Foreseen::default();
        };
        let branch = of.branch(predictor, now);
        let learnt = || Foreseen::learnt(predictor, predictor.predict(&branch, now));
        let is_asked = |model: &Arc<ServedModel>| model.predicts(&mut outbound.random.borrow_mut());
        let Some(model) = self.asked_model().filter(is_asked) else { return learnt() };
        let (features, estimate) = self.features(of, predictor, &branch, now);
        let Some(said) = model.ask(&features) else { return learnt() };
        let probation = &model.probation;
        let (seconds, weight) = (probation.expected(&features, said).exp(), probation.weight());
        let foreseen = match predictor.believe(seconds, &estimate, weight, now) {
            None => learnt(),
            prediction => {
                let model_factor = Some(Predictor::model_factor(seconds, &estimate));
                Foreseen { prediction, weight, model_factor, observation: None }
            }
        };
        let observation = self.observation(features, Some((model, said)), outbound);
        Foreseen { observation: Some(Box::new(observation)), ..foreseen }
    }
}
