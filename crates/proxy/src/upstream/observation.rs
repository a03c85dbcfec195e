//! What models are told of a request, what one said, and what the request came to.
//!
//! Features are taken of requests that a model predicts or is judged by, and of those of which a sample is taken, and of
//! no others.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use tidegate_core::predict::features::{Features, Observed};
use tidegate_core::predict::{Branch, Estimate, Predictor};
use tidegate_core::time::Moment;

use super::Upstream;
use super::cost::CostOf;
use super::outbound::Outbound;
use super::served_model::ServedModel;
use crate::account::metrics::UpstreamMetrics;
use crate::account::samples::Samples;
use crate::net::clock;

/// The part of the requests that a model is judged by, beside those that it predicts.
const JUDGED: f64 = 1.0 / 16.0;

/// A request under way, whose features were taken.
#[derive(Debug)]
pub struct Observation {
    features: Features,
    /// The model that was asked, and how much dearer than expected it said that the request will be.
    answer: Option<(Arc<ServedModel>, f32)>,
    /// Where a sample of it goes; `None`: none is taken.
    sampler: Option<Arc<Sampler>>,
    /// How many requests a sample of it stands for.
    weight: f32,
}

/// Where samples of one upstream's requests go.
#[derive(Debug)]
pub(super) struct Sampler {
    pub(super) upstream: Arc<UpstreamMetrics>,
    pub(super) samples: Arc<Samples>,
}

impl Observation {
    /// The request is over and had this cost.
    pub(super) fn over(&self, predictor: &Predictor, worker: usize, cost: Duration, now: Moment) {
        if let Some((model, said)) = &self.answer {
            model.judge(&self.features, *said, cost, &predictor.usual(now));
        }
        if let Some(Sampler { upstream, samples }) = self.sampler.as_deref() {
            samples.put(worker, upstream, self.features, cost, self.weight);
        }
    }
}

impl Upstream {
    /// An observation with these `features`, and what the model said that was asked; of a part of them a sample is taken.
    pub(super) fn observation(
        &self,
        features: Features,
        answer: Option<(Arc<ServedModel>, f32)>,
        outbound: &Outbound,
    ) -> Observation {
        let sampled = self.sampled();
        let is_sampled = outbound.random.borrow_mut().fraction() < sampled;
        let sampler = is_sampled.then(|| self.sampler.clone());
        Observation { features, answer, sampler, weight: 1.0 / sampled as f32 }
    }

    /// The part of the requests that something is learnt from: where a model is judged, all.
    pub(super) fn learnt_part(&self, predictor: &Predictor) -> f64 {
        match self.plan.predict.model {
            Some(_) => 1.0,
            None => f64::from(predictor.part()).max(self.sampled()),
        }
    }

    /// The observation of a request that is sent, where it is one of those of which one is made: by this number, `drawn`
    /// at random below 1. The `model` may be asked.
    pub(super) fn observe(
        &self,
        of: &CostOf<'_>,
        predictor: &Predictor,
        branch: &Branch,
        (drawn, model): (f64, Option<Arc<ServedModel>>),
        now: Moment,
    ) -> Option<Box<Observation>> {
        let sampled = self.sampled();
        let model = model.filter(|_| drawn < JUDGED);
        if model.is_none() && drawn >= sampled {
            return None;
        }
        let (features, _) = self.features(of, predictor, branch, now);
        let answer = model.and_then(|model| model.ask(&features).map(|said| (model, said)));
        let sampler = (drawn < sampled).then(|| self.sampler.clone());
        let weight = 1.0 / sampled as f32;
        Some(Box::new(Observation { features, answer, sampler, weight }))
    }

    /// The response to a request took so long to begin: where that is slow, a sample of it is taken in any case, which
    /// `stands_for` as many as the request does.
    pub(super) fn observe_slow(
        &self,
        observation: &mut Option<Box<Observation>>,
        (of, predictor, branch): (&CostOf<'_>, &Predictor, &Branch),
        stands_for: f32,
        took: Duration,
        now: Moment,
    ) {
        if self.sampled() == 0.0 || !predictor.is_slow(branch, took, now) {
            return;
        }
        let observation = observation.get_or_insert_with(|| {
            let (features, _) = self.features(of, predictor, branch, now);
            Box::new(Observation { features, answer: None, sampler: None, weight: stands_for })
        });
        observation.weight = stands_for;
        observation.sampler.get_or_insert_with(|| self.sampler.clone());
    }

    /// The model that may be asked.
    pub(super) fn asked_model(&self) -> Option<Arc<ServedModel>> {
        self.plan.predict.model.as_ref()?;
        self.model.load_full().filter(|model| model.fallen().is_none())
    }

    /// The part of the requests of which samples are taken.
    fn sampled(&self) -> f64 {
        self.plan.predict.samples.fraction()
    }

    pub(super) fn features(
        &self,
        of: &CostOf<'_>,
        predictor: &Predictor,
        branch: &Branch,
        now: Moment,
    ) -> (Features, Estimate) {
        let CostOf { head, priority, .. } = of;
        let field = |name| head.headers.get(name).map(http::HeaderValue::as_bytes);
        let observed = Observed {
            described: of.described(),
            query: head.uri.query(),
            content_type: field(CONTENT_TYPE),
            user_agent: field(USER_AGENT),
            time: Duration::from_nanos(clock::unix_nanos()),
            load: self.load(),
            priority: *priority,
        };
        let estimate = predictor.estimate(branch, now);
        (predictor.features(&observed, branch, &estimate), estimate)
    }

    /// Requests in flight, by how many there may be; 0 where that is any number.
    fn load(&self) -> f32 {
        let occupancy = self.admission.occupancy();
        let room = self.membership().balancer.room().min(occupancy.limit.unwrap_or(u32::MAX));
        if room == u32::MAX { 0.0 } else { occupancy.in_flight as f32 / room.max(1) as f32 }
    }
}
