//! What a gateway predicts: core's predictor, and what a scenario does to its predictions.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::admission::{Offer, Supply};
use tidegate_core::balance::{Balancer, SplitMix64};
use tidegate_core::predict::{self, Arm, Branch, Described, Ended, Estimate, Prediction, Turn};
use tidegate_core::time::Moment;

use crate::arrivals::Request;
use crate::draw::normal;
use crate::scenario::{Predict, Scenario};

/// What a request is, for predictions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prospect {
    branch: Branch,
    arm: Arm,
    /// What is said of it beside what is learnt: a logarithm of seconds.
    said: Option<f32>,
}

/// The predictor of one gateway.
#[derive(Debug)]
pub(crate) struct Predictor {
    learner: Arc<predict::Predictor>,
    plan: Predict,
    /// When predictions turn wrong.
    drifts: u64,
    templates: Vec<String>,
    random: SplitMix64,
    /// When they were first turned off.
    off_at: OnceCell<Moment>,
}

impl Predictor {
    /// The predictor that `plan` describes.
    pub(crate) fn new(plan: &Predict, scenario: &Scenario, mut random: SplitMix64) -> Self {
        Self {
            learner: Arc::new(predict::Predictor::new(random.next())),
            drifts: plan.drift.map_or(u64::MAX, |drift| scenario.warmup.saturating_add(drift)),
            plan: plan.clone(),
            templates: scenario.work.iter().map(|class| class.template.clone()).collect(),
            random,
            off_at: OnceCell::new(),
        }
    }

    /// This request has come.
    pub(crate) fn prospect(&mut self, request: &Request, now: Moment) -> Prospect {
        let arm = if self.plan.comparison { self.learner.arm(now) } else { Arm::PREDICTED };
        let said = if self.plan.oracle { Some(request.work) } else { request.predicted };
        let logarithm = |nanos: u64| ((nanos.max(1) as f64) / 1e9).ln() as f32;
        Prospect { branch: self.branch(request.class, now), arm, said: said.map(logarithm) }
    }

    fn branch(&mut self, class: u32, now: Moment) -> Branch {
        let number = self.random.below(1_000_000).to_string();
        let path = self.templates.get(class as usize).map(|path| path.replace("{n}", &number));
        let described = Described { route: 0, method: "GET", path: path.as_deref(), size: None };
        self.learner.branch(&described, now)
    }

    /// What is predicted of a request.
    pub(crate) fn predict(&mut self, of: &Prospect, now: Moment) -> Option<Prediction> {
        let Prospect { branch, arm, said } = of;
        if !arm.predicts {
            return None;
        }
        if self.plan.guarded && said.is_none() && !self.errs(now) {
            return self.learner.predict(branch, now);
        }
        let seen = self.learner.estimate(branch, now);
        let usual = self.learner.usual(now);
        // What is said is a cost; what is learnt the mean of logarithms, which is less.
        let less = if said.is_some() { 0.0 } else { seen.variance / 2.0 };
        let cost = self.distorted(said.unwrap_or(seen.mean), &usual, now) + less;
        match self.plan.guarded {
            true => self.learner.believe(cost.exp(), &seen, self.learner.skill().weight(), now),
            false => Some(self.learner.boosted(cost)),
        }
    }

    /// A request ended, `took` after it had come; `None`: it failed. Answers with how much longer than usual it was to
    /// take, as a logarithm.
    pub(crate) fn ended(
        &mut self,
        of: &Prospect,
        cost: Option<Duration>,
        took: Option<Duration>,
        now: Moment,
    ) -> f32 {
        let Prospect { branch, arm, said } = *of;
        let ended = Ended { arm, cost, took, stands_for: 1, by_model: false };
        if self.plan.guarded && said.is_none() && !self.errs(now) {
            return self.learner.ended(&branch, ended, now);
        }
        let weight = if self.plan.guarded { self.learner.skill().weight() } else { 1.0 };
        let (estimate, usual) = (self.learner.estimate(&branch, now), self.learner.usual(now));
        let right = said.unwrap_or(estimate.mean);
        let predicted = self.distorted(right, &usual, now);
        if let Some(learnt) = self.learner.learn(&branch, &ended, now) {
            self.learner.judge(&learnt, predicted);
        }
        if weight > 0.0 {
            self.learner.compare(&ended, &estimate);
        }
        if arm.predicts { weight * (right - usual.mean) } else { 0.0 }
    }

    /// A request was not let in.
    pub(crate) fn refused(&self, of: &Prospect) {
        self.learner.comparison().refused(of.arm);
    }

    /// Keep up with the load of servers that have so many workers.
    pub(crate) fn renew(&self, workers: impl FnOnce() -> f64, now: Moment) {
        if let Some(Turn::Off { .. }) = self.learner.renew(workers, now) {
            self.off_at.get_or_init(|| now);
        }
    }

    /// When predictions were first turned off; `None`: never.
    pub(crate) fn off_at(&self) -> Option<Moment> {
        self.off_at.get().copied()
    }

    /// What is free where these predictions are believed.
    pub(crate) fn supply(&self, balancer: Arc<Balancer>) -> Box<dyn Supply> {
        let Predict { guarded, comparison, .. } = self.plan;
        Box::new(Free { balancer, learner: self.learner.clone(), guarded, comparison })
    }

    fn errs(&self, now: Moment) -> bool {
        let Predict { noise, useless, constant, inverted, .. } = self.plan;
        noise > 0.0 || useless || constant || inverted || now.0 >= self.drifts
    }

    /// The logarithm that is predicted in place of the `right` one, where this is `usual`.
    fn distorted(&mut self, right: f32, usual: &Estimate, now: Moment) -> f32 {
        let mut predicted = right;
        if self.plan.constant {
            predicted = usual.mean;
        }
        if self.plan.inverted || now.0 >= self.drifts {
            predicted = 2.0 * usual.mean - predicted;
        }
        if self.plan.useless {
            predicted = usual.mean + usual.variance.sqrt() * normal(&mut self.random) as f32;
        }
        if self.plan.noise > 0.0 {
            predicted += (self.plan.noise * normal(&mut self.random)) as f32;
        }
        predicted
    }
}

/// What is free at the servers of one gateway.
#[derive(Debug)]
struct Free {
    balancer: Arc<Balancer>,
    learner: Arc<predict::Predictor>,
    guarded: bool,
    comparison: bool,
}

impl Supply for Free {
    fn offer(&self, inside: u32) -> Option<Offer> {
        let spare = || self.balancer.spare(inside);
        match self.guarded {
            true => self.learner.offer(|| false, spare),
            false if self.comparison && self.learner.comparison().pauses() => None,
            false => Some(Offer::new(spare()?, self.learner.mean()?)),
        }
    }
}
