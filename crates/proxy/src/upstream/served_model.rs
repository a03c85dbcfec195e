//! Models that upstreams use: which there are, and how far each is used.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_core::balance::SplitMix64;
use tidegate_core::plan::{ModelStage, ModelUse};
use tidegate_core::predict::features::Features;
use tidegate_core::predict::{Estimate, Fall, Probation};
use tidegate_model::{BUDGET, Model};
use tokio::time::Instant;

use super::Upstream;
use crate::account::Accounts;
use crate::account::metrics::UpstreamMetrics;
use crate::account::outbox::{Notice, Outbox};

/// Models that are kept at a time.
const MOST: usize = 64;

/// The models that were supplied, by name and digest, whether an upstream names them or not.
#[derive(Debug, Default)]
pub struct LiveModels(Mutex<HashMap<String, Arc<Model>>>);

impl LiveModels {
    /// Keep the model in `tar` under this name; an empty one takes it back.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed then.
    pub fn set(&self, name: &str, tar: &[u8]) -> Result<(), String> {
        if tar.is_empty() {
            self.0.lock().remove(name);
            return Ok(());
        }
        let began = Instant::now();
        let model = Model::load(tar, &|| began.elapsed()).map_err(|refusal| refusal.to_string())?;
        let digest = &model.digest;
        if name.split_once('@').is_none_or(|(_, named)| named != digest) {
            return Err(format!("the name of this model must end in @{digest}: found `{name}`"));
        }
        let mut models = self.0.lock();
        if models.len() >= MOST && !models.contains_key(name) {
            return Err(format!(
                "{MOST} models are kept: take one back before another is supplied"
            ));
        }
        models.insert(name.to_owned(), Arc::new(model));
        Ok(())
    }

    /// Have these upstreams use what they name.
    pub fn serve(&self, upstreams: &[Arc<Upstream>]) {
        let models = self.0.lock();
        for upstream in upstreams {
            upstream.use_model(|name| models.get(name));
        }
    }
}

impl Upstream {
    /// Use the model that the plan names, if `known` has it.
    fn use_model<'m>(&self, known: impl FnOnce(&str) -> Option<&'m Arc<Model>>) {
        let served = self.plan.predict.model.as_ref().and_then(|plan| {
            let model = known(&plan.name)?;
            let held = self.model.load_full().filter(|held| Arc::ptr_eq(&held.model, model));
            Some(held.unwrap_or_else(|| {
                let probation = Arc::new(Probation::new(model.spreads.clone()));
                let (metrics, outbox) = (self.metrics.clone(), self.outbox.clone());
                let (plan, model) = (plan.clone(), model.clone());
                Arc::new(ServedModel::new(plan, model, probation, metrics, outbox))
            }))
        });
        self.model.store(served);
    }
}

/// A model that one upstream uses.
#[derive(Debug)]
pub struct ServedModel {
    plan: ModelUse,
    model: Arc<Model>,
    /// What its answers came to, through every reload that names it.
    pub probation: Arc<Probation>,
    fallen: OnceLock<Fall>,
    metrics: Arc<UpstreamMetrics>,
    outbox: Arc<Outbox>,
}

impl ServedModel {
    fn new(
        plan: ModelUse,
        model: Arc<Model>,
        probation: Arc<Probation>,
        metrics: Arc<UpstreamMetrics>,
        outbox: Arc<Outbox>,
    ) -> Self {
        Self { plan, model, probation, fallen: OnceLock::new(), metrics, outbox }
    }

    /// What an upstream of this `plan` takes over from its predecessor, which used `before`: the same model, which has
    /// another chance where it is to be used otherwise.
    pub(super) fn again(
        before: &Arc<Self>,
        plan: Option<&ModelUse>,
        accounts: &Accounts,
    ) -> Option<Arc<Self>> {
        let plan = plan.filter(|plan| plan.name == before.plan.name)?;
        if *plan == before.plan {
            return Some(before.clone());
        }
        let Self { model, probation, metrics, .. } = &**before;
        let (model, probation) = (model.clone(), probation.clone());
        let (metrics, outbox) = (metrics.clone(), accounts.outbox.clone());
        Some(Arc::new(Self::new(plan.clone(), model, probation, metrics, outbox)))
    }

    /// Why it is not asked any more; `None`: it is.
    pub fn fallen(&self) -> Option<Fall> {
        self.fallen.get().copied()
    }

    /// Whether requests are predicted by it.
    pub(super) fn serves(&self) -> bool {
        self.plan.stage != ModelStage::Shadow && self.fallen().is_none()
    }

    /// Whether something follows from what it says.
    pub(super) fn counts(&self) -> bool {
        self.serves() && self.probation.weight() > 0.0
    }

    /// Whether it predicts the cost of the next request.
    pub(super) fn predicts(&self, random: &mut SplitMix64) -> bool {
        match self.plan.stage {
            ModelStage::Shadow => false,
            ModelStage::Canary => random.fraction() < self.plan.share.fraction(),
            ModelStage::Live => true,
        }
    }

    /// How much dearer than expected a request with these features will be, as a logarithm; `None`: it does not say.
    pub(super) fn ask(&self, features: &Features) -> Option<f32> {
        let began = Instant::now();
        let said = self.model.answer(features);
        if let Some(fall) = self.probation.timed(began.elapsed(), BUDGET) {
            self.fall(fall);
        }
        if !said.is_finite() {
            self.fall(Fall::NotFinite);
        }
        said.is_finite().then_some(said)
    }

    /// A request of which it `said` so much had this cost, where requests `usually` have that.
    pub(super) fn judge(&self, features: &Features, said: f32, cost: Duration, usually: &Estimate) {
        let actual = cost.as_secs_f32().max(1e-9).ln();
        let fall = self.probation.judge(features, said, actual, usually);
        // In the shadow it does no harm, and what it is worth is to be seen.
        if let Some(fall) = fall.filter(|_| self.serves()) {
            self.fall(fall);
        }
    }

    /// It is not asked any more, until it is supplied anew or configured otherwise.
    pub fn fall(&self, why: Fall) {
        if self.fallen.set(why).is_err() {
            return;
        }
        let (upstream, model) = (self.metrics.name().to_owned(), self.plan.name.clone());
        self.metrics.predict.fell(why);
        tracing::warn!(upstream, model, reason = why.label(), "the model is not asked any more");
        self.outbox.tell(Notice::ModelFallback { upstream, model, reason: why.label() });
    }
}
