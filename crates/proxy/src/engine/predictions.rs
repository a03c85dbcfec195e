//! What upstreams predict, for people.

use std::sync::Arc;

use serde::Serialize;
use tidegate_core::plan::PredictMode;
use tidegate_core::predict::{Comparison, Fall, Interval, Knowledge, Predictor, Stage};

use super::models::{self, ModelStatus, SamplesStatus};
use crate::account::exposition::{Exposition, Kind};
use crate::net::clock;
use crate::upstream::Upstream;

/// What is predicted of an upstream's requests.
#[derive(Debug, Serialize)]
pub struct PredictionStatus {
    /// What is done with it.
    pub mode: PredictMode,
    /// The part of the variance of costs that predictions explained of late, its lower bound.
    pub skill: f32,
    /// How far they are believed, from 0 to 1.
    pub weight: f32,
    /// How long a request keeps a worker in the mean, in milliseconds; absent: too little is known.
    pub mean_cost_ms: Option<f64>,
    /// How requests with and without predictions compare; absent: nothing follows from predictions.
    pub comparison: Option<ComparisonStatus>,
    /// The model that predicts beside what is learnt; absent: none is configured.
    pub model: Option<ModelStatus>,
    /// What models learn from.
    pub samples: SamplesStatus,
}

/// How requests with and without predictions compare.
#[derive(Debug, Serialize)]
pub struct ComparisonStatus {
    /// `open`: it is not known which is better; `proven`: with; `off`: without, so nothing is predicted.
    pub state: &'static str,
    /// For how long nothing is predicted any more, in seconds; absent: predictions are on.
    pub off_for_seconds: Option<f64>,
    /// How often predictions were turned off.
    pub times_off: u64,
    /// Periods that were compared since this comparison began.
    pub periods: u32,
    /// How many times what it costs a request took with predictions, in the geometric mean; absent: none was compared.
    pub with: Option<f64>,
    /// The same without.
    pub without: Option<f64>,
    /// How many times as long as without a request takes with predictions, with 99 % confidence at least …
    pub ratio_low: Option<f64>,
    /// … and at most; absent: too little is known.
    pub ratio_high: Option<f64>,
}

impl PredictionStatus {
    /// Of this upstream, where it predicts.
    pub fn of(upstream: &Upstream) -> Option<Self> {
        let (predictor, mode) = (upstream.predictor.as_ref()?, upstream.plan.predict.mode);
        Some(Self {
            mode,
            skill: predictor.skill().bound(),
            weight: predictor.skill().weight(),
            mean_cost_ms: predictor.mean().map(|mean| mean.as_secs_f64() * 1000.0),
            comparison: (mode == PredictMode::Auto)
                .then(|| ComparisonStatus::of(predictor.comparison())),
            model: ModelStatus::of(upstream),
            samples: SamplesStatus::of(upstream),
        })
    }
}

impl ComparisonStatus {
    fn of(comparison: &Comparison) -> Self {
        let standing = comparison.standing();
        let [with, without] = standing.slowdowns.map(|mean| (standing.periods > 0).then_some(mean));
        let Interval { low, high } = standing.ratio;
        let (state, until) = match standing.stage {
            Stage::Open => ("open", None),
            Stage::Proven => ("proven", None),
            Stage::Off(until) => ("off", Some(until)),
        };
        Self {
            state,
            off_for_seconds: until.map(|until| until.since(clock::now()).as_secs_f64()),
            times_off: comparison.times_off(),
            periods: standing.periods,
            with,
            without,
            ratio_low: Some(low).filter(|_| high.is_finite()),
            ratio_high: Some(high).filter(|_| high.is_finite()),
        }
    }
}

/// What is learnt of the costs of an upstream's requests.
#[derive(Debug, Serialize)]
pub(super) struct LearntCosts {
    upstream: String,
    learnt: Knowledge,
}

/// What is learnt of the costs of requests, where it is.
pub(super) fn learnt(upstreams: &[Arc<Upstream>]) -> Vec<LearntCosts> {
    let now = clock::now();
    let of = |upstream: &Arc<Upstream>| {
        let learnt = upstream.predictor.as_ref()?.knowledge(now);
        Some(LearntCosts { upstream: upstream.plan.name.clone(), learnt })
    };
    upstreams.iter().filter_map(of).collect()
}

/// What predictions of costs are worth, where they are made.
pub(super) fn metrics(page: &mut Exposition, upstreams: &[Arc<Upstream>]) {
    let predictors = || {
        let with = |upstream: &Arc<Upstream>| Some((upstream.clone(), upstream.predictor.clone()?));
        upstreams.iter().filter_map(with)
    };
    let mut of_each = |name, kind, help, value: fn(&Upstream, &Predictor) -> f64| {
        let mut family = page.family(name, kind, help);
        for (upstream, predictor) in predictors() {
            let labels = [("upstream", upstream.metrics.name())];
            family.sample(&labels, value(&upstream, &predictor));
        }
    };
    of_each(
        "tidegate_predict_skill",
        Kind::Gauge,
        "The part of the variance of costs that predictions explained of late, its lower bound.",
        |_, predictor| predictor.skill().bound().into(),
    );
    of_each(
        "tidegate_predict_weight",
        Kind::Gauge,
        "How far predictions are believed, from 0 to 1.",
        |_, predictor| predictor.skill().weight().into(),
    );
    of_each(
        "tidegate_predict_decisions_total",
        Kind::Counter,
        "Requests that had to wait, of which it was asked what they cost.",
        |upstream, _| upstream.metrics.predict.decisions() as f64,
    );
    of_each(
        "tidegate_predict_decision_seconds_total",
        Kind::Counter,
        "How long that took in all.",
        |upstream, _| upstream.metrics.predict.deciding().as_secs_f64(),
    );
    let mut family = page.family(
        "tidegate_predict_error_log",
        Kind::Gauge,
        "Root mean square error of the logarithm of costs of late: of predictions, and where the mean is said.",
    );
    for (upstream, predictor) in predictors() {
        let errors = predictor.skill().errors();
        for (said, error) in ["mean", "prediction"].into_iter().zip(errors.into_iter().flatten()) {
            family.sample(&[("upstream", upstream.metrics.name()), ("said", said)], error);
        }
    }
    let mut family = page.family(
        "tidegate_predict_fallbacks_total",
        Kind::Counter,
        "How often predictions were turned off (`outcome`), or only those of a model.",
    );
    for (upstream, predictor) in predictors() {
        for why in Fall::ALL {
            let count = match why {
                Fall::Outcome => predictor.comparison().times_off(),
                why => upstream.metrics.predict.falls(why),
            };
            let labels = [("upstream", upstream.metrics.name()), ("reason", why.label())];
            family.sample(&labels, count);
        }
    }
    models::metrics(page, upstreams);
}
