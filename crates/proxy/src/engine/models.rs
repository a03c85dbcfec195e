//! The models of upstreams, for people.

use std::sync::Arc;

use serde::Serialize;
use tidegate_core::plan::ModelStage;
use tidegate_core::predict::Fall;

use crate::account::exposition::{Exposition, Kind};
use crate::account::metrics::PredictCounts;
use crate::upstream::Upstream;

/// A model of an upstream.
#[derive(Debug, Serialize)]
pub struct ModelStatus {
    /// Its name and its digest.
    pub name: String,
    /// How far it is used.
    pub stage: ModelStage,
    /// Of which part of the requests it predicts the cost as a canary, in percent.
    pub share: f64,
    /// `serving`, `shadow`, `absent` (it was not supplied) or `fallback` (it is not asked any more).
    pub state: &'static str,
    /// Why it is not asked any more; absent: it is.
    pub reason: Option<&'static str>,
    /// The part of what the learner leaves unexplained that it explained of late, its lower bound; absent: it was not
    /// supplied.
    pub skill: Option<f32>,
    /// How far it is believed, from 0 to 1; absent: it was not supplied.
    pub weight: Option<f32>,
    /// Its answers that were compared with what requests cost.
    pub predictions: u64,
}

/// Samples of an upstream's requests.
#[derive(Debug, Serialize)]
pub struct SamplesStatus {
    /// Those that were told.
    pub taken: u64,
    /// Those that did not fit.
    pub dropped: u64,
}

impl ModelStatus {
    /// Of this upstream, where it names one.
    pub(super) fn of(upstream: &Upstream) -> Option<Self> {
        let plan = upstream.plan.predict.model.as_ref()?;
        let served = upstream.model.load_full();
        let fallen = served.as_ref().and_then(|served| served.fallen());
        let state = match (&served, fallen, plan.stage) {
            (None, _, _) => "absent",
            (Some(_), Some(_), _) => "fallback",
            (Some(_), None, ModelStage::Shadow) => "shadow",
            (Some(_), None, _) => "serving",
        };
        let probation = served.as_ref().map(|served| &served.probation);
        Some(Self {
            name: plan.name.clone(),
            stage: plan.stage,
            share: plan.share.get(),
            state,
            reason: fallen.map(Fall::label),
            skill: probation.map(|probation| probation.gain().bound()),
            weight: probation.map(|probation| probation.weight()),
            predictions: probation.map_or(0, |probation| probation.judged()),
        })
    }
}

impl SamplesStatus {
    /// Of this upstream.
    pub(super) fn of(upstream: &Upstream) -> Self {
        let counts = &upstream.metrics.predict;
        Self { taken: counts.samples(), dropped: counts.samples_dropped() }
    }
}

/// What models are worth, and what they learn from.
pub(super) fn metrics(page: &mut Exposition, upstreams: &[Arc<Upstream>]) {
    let mut family = page.family(
        "tidegate_predict_model_skill",
        Kind::Gauge,
        "The part of what the learner leaves unexplained that the model explained of late, its lower bound.",
    );
    for upstream in upstreams {
        if let Some(served) = &*upstream.model.load() {
            let skill = served.probation.gain().bound();
            family.sample(&[("upstream", upstream.metrics.name())], skill);
        }
    }
    let mut counter = |name, help, count: fn(&PredictCounts) -> u64| {
        let mut family = page.family(name, Kind::Counter, help);
        for upstream in upstreams.iter().filter(|upstream| upstream.predictor.is_some()) {
            let counts = &upstream.metrics;
            family.sample(&[("upstream", counts.name())], count(&counts.predict));
        }
    };
    counter(
        "tidegate_predict_samples_total",
        "Samples of requests that models learn from.",
        PredictCounts::samples,
    );
    counter(
        "tidegate_predict_samples_dropped_total",
        "Samples lost because they came faster than they were taken.",
        PredictCounts::samples_dropped,
    );
}
