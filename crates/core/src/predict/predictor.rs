//! What is predicted of an upstream's requests.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::boost::Boosts;
use super::branch::{Branch, Described, LEVEL_NAMES};
use super::comparison::{Arm, Comparison, Turn};
use super::cost::{Costs, Learnt};
use super::features::{Features, Observed};
use super::knowledge::Knowledge;
use super::node::{Estimate, logarithm, power};
use super::parameters::Parameters;
use super::skill::{Skill, blend, sane};
use crate::admission::Offer;
use crate::balance::Spare;
#[cfg(doc)]
use crate::load::Sent;
use crate::time::Moment;

/// As long as nothing follows from predictions, it is enough to learn from so many requests a second …
const SUFFICES: f64 = 1_000.0;
/// … but from no smaller a part of them.
const LEAST_PART: f64 = 0.01;
/// Answers that it takes to know the 99th percentile of a kind of requests …
const ENOUGH: f32 = 100.0;
/// … which is so many deviations above the mean, of a normal distribution.
const NINETY_NINTH: f32 = 2.326;

/// What is predicted of a request that must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prediction {
    /// How long a worker of usual pace will be taken by it.
    pub cost: Duration,
    /// How much earlier than it came it counts.
    pub boost: Duration,
}

/// A request that is over.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Whether predictions counted for it.
    pub arm: Arm,
    /// How long it kept a worker, ÷ the endpoint's pace; `None` where that is not known, because it failed or had to wait
    /// for the worker.
    pub cost: Option<Duration>,
    /// How long it took from when it came; `None`: it failed, or nothing follows from predictions.
    pub took: Option<Duration>,
    /// How many requests it stands for, where not all are [learnt from](Predictor::part).
    pub stands_for: u32,
    /// Whether a model predicts that is believed.
    pub by_model: bool,
}

/// Learns what the requests of one upstream cost, and predicts it of others. Shared by all workers; it lives as long
/// as an upstream of its name.
#[derive(Debug)]
pub struct Predictor {
    costs: Costs,
    skill: Skill,
    boosts: Boosts,
    parameters: Parameters,
    comparison: Comparison,
    /// The bits of `f32`.
    part: AtomicU32,
}

impl Prediction {
    /// Whether not even half of the cost is `left`.
    pub fn misses_by_half(&self, left: Duration) -> bool {
        left < self.cost / 2
    }
}

impl Predictor {
    /// One that knows nothing yet; `seed` is a random number.
    pub fn new(seed: u64) -> Self {
        Self {
            costs: Costs::new(seed),
            skill: Skill::default(),
            boosts: Boosts::default(),
            parameters: Parameters::new(seed),
            comparison: Comparison::new(seed),
            part: AtomicU32::new(1f32.to_bits()),
        }
    }

    /// One that goes on `now` from what another had learnt. Whether predictions do good is found out anew.
    ///
    /// # Errors
    /// What is wrong with that.
    pub fn restored(known: &Knowledge, now: Moment) -> Result<Self, String> {
        known.check()?;
        let costs = Costs::restored(&known.costs, now)?;
        let predictor = Self { costs, ..Self::new(known.costs.seed) };
        predictor.boosts.restore(&known.distribution, known.rate)?;
        predictor.skill.restore(&known.skill)?;
        predictor.parameters.restore(&known.parameters);
        Ok(predictor)
    }

    /// What is learnt so far.
    pub fn knowledge(&self, now: Moment) -> Knowledge {
        let (costs, skill) = (self.costs.known(now), self.skill.blocks());
        Knowledge::new(costs, self.boosts.known(), skill, self.parameters.known())
    }

    /// The arm of a request that comes now.
    pub fn arm(&self, now: Moment) -> Arm {
        self.comparison.arm(now)
    }

    /// How far predictions count, from 0 to 1: as far as they are worth something and do no harm.
    pub fn weight(&self) -> f32 {
        if self.comparison.is_off() { 0.0 } else { self.skill.weight() }
    }

    /// The part of the requests that is to be learnt from: all, where something follows from predictions or few requests
    /// come; else as many as it takes to notice that predictions would be worth something.
    pub fn part(&self) -> f32 {
        f32::from_bits(self.part.load(Relaxed))
    }

    /// Where a request belongs among those that cost alike.
    pub fn branch(&self, of: &Described<'_>, now: Moment) -> Branch {
        self.costs.branch(of, now)
    }

    /// What a request that belongs there costs, as far as is learnt.
    pub fn estimate(&self, branch: &Branch, now: Moment) -> Estimate {
        self.costs.estimate(branch, now)
    }

    /// What that is made of: how many times as much as [usual](Self::usual) by the request's route, how many times as
    /// much again by its method, and so on, as far as is known.
    pub fn factors(
        &self,
        branch: &Branch,
        now: Moment,
    ) -> impl Iterator<Item = (&'static str, f32)> {
        LEVEL_NAMES.into_iter().zip(self.costs.factors(branch, now))
    }

    /// Whether a request that belongs there takes longer than 99 of 100 of its kind, where enough is known of these.
    pub fn is_slow(&self, branch: &Branch, took: Duration, now: Moment) -> bool {
        let nearest = self.costs.nearest(branch, now);
        nearest.answers >= ENOUGH && took > power(nearest.quantile(NINETY_NINTH))
    }

    /// What models are told of a request that belongs there, where this is its [estimate](Self::estimate).
    pub fn features(&self, of: &Observed<'_>, branch: &Branch, estimate: &Estimate) -> Features {
        of.features(branch, estimate, &self.parameters)
    }

    /// What a request costs of which nothing is known.
    pub fn usual(&self, now: Moment) -> Estimate {
        self.costs.usual(now)
    }

    /// What is predicted of a request that belongs there; `None` where predictions are worth nothing.
    pub fn predict(&self, branch: &Branch, now: Moment) -> Option<Prediction> {
        let weight = Some(self.weight()).filter(|weight| *weight > 0.0)?;
        Some(self.weigh(self.estimate(branch, now).expected(), weight, now))
    }

    /// What a model's word of `seconds`, believed with this `weight`, is worth for a request that belongs where this was
    /// `seen`; `None`: nothing.
    pub fn believe(
        &self,
        seconds: f32,
        seen: &Estimate,
        weight: f32,
        now: Moment,
    ) -> Option<Prediction> {
        let weight = Some(weight).filter(|weight| *weight > 0.0 && !self.comparison.is_off())?;
        Some(self.weigh(sane(seconds, seen), weight, now))
    }

    /// How many times as much as was `seen` a model's word of `seconds` is taken for.
    pub fn model_factor(seconds: f32, seen: &Estimate) -> f32 {
        (sane(seconds, seen) - seen.expected()).exp()
    }

    /// The cost that a part of the requests which belong there stay below, so many standard deviations above the mean of
    /// the logarithm; `None` where predictions are worth nothing.
    pub fn quantile(&self, branch: &Branch, deviations: f32, now: Moment) -> Option<Duration> {
        let weight = Some(self.weight()).filter(|weight| *weight > 0.0)?;
        let [own, usual] =
            [self.estimate(branch, now), self.usual(now)].map(|one| one.quantile(deviations));
        Some(power(blend(own, usual, weight)))
    }

    fn weigh(&self, predicted: f32, weight: f32, now: Moment) -> Prediction {
        self.boosted(blend(predicted, self.usual(now).expected(), weight))
    }

    /// The prediction of this cost, a logarithm of seconds, believed in full.
    pub fn boosted(&self, cost: f32) -> Prediction {
        Prediction { cost: power(cost), boost: self.boosts.boost(cost) }
    }

    /// A request `ended`. Answers with how much longer than usual it was to take, as a logarithm, as far as that is
    /// [believed](Sent::expecting).
    pub fn ended(&self, branch: &Branch, ended: Ended, now: Moment) -> f32 {
        let weight = self.weight();
        let counts = weight > 0.0 || ended.by_model;
        let (predicted, usual) = match self.learn(branch, &ended, now) {
            Some(learnt) => {
                self.judge(&learnt, learnt.predicted.mean);
                (learnt.predicted, learnt.usual)
            }
            None if counts => (self.estimate(branch, now), self.usual(now)),
            None => return 0.0,
        };
        if counts {
            self.compare(&ended, &predicted);
        }
        if ended.arm.predicts { weight * (predicted.mean - usual.mean) } else { 0.0 }
    }

    /// Compare how long a request took that was `expected` to cost so much with those of the other arm.
    pub fn compare(&self, ended: &Ended, expected: &Estimate) {
        if let Some(took) = ended.took
            && expected.answers > 0.0
        {
            self.comparison.record(ended.arm, logarithm(took) - expected.mean);
        }
    }

    /// Learn from a request that [ended](Self::ended), without judging what was predicted for it.
    pub fn learn(&self, branch: &Branch, ended: &Ended, now: Moment) -> Option<Learnt> {
        let Some(cost) = ended.cost else {
            self.boosts.count(ended.stands_for);
            return None;
        };
        let actual = logarithm(cost);
        self.boosts.record(actual);
        self.boosts.count(ended.stands_for.saturating_sub(1));
        Some(self.costs.learn(branch, actual, now))
    }

    /// For a request that ended, the logarithm of its seconds was `predicted`.
    pub fn judge(&self, learnt: &Learnt, predicted: f32) {
        if learnt.usual.answers > 0.0 {
            self.skill.record(learnt.actual, predicted, learnt.usual.mean);
        }
    }

    /// Keep up with the load, where that is due; `workers`: requests that the endpoints together work on at a time.
    /// Answers with what the comparison came to just now.
    pub fn renew(&self, workers: impl FnOnce() -> f64, now: Moment) -> Option<Turn> {
        if let Some(rate) = self.boosts.renew(workers, now) {
            let suffices = (SUFFICES / rate).clamp(LEAST_PART, 1.0) as f32;
            let part = if self.weight() > 0.0 { 1.0 } else { suffices };
            self.part.store(part.to_bits(), Relaxed);
        }
        self.comparison.renew(now)
    }

    /// The mean cost; `None` where too little is known.
    pub fn mean(&self) -> Option<Duration> {
        self.boosts.mean()
    }

    /// What is offered to requests by the worker that is `spare`; `None` where predictions are worth nothing, those of a
    /// model included, which counts if `by_model` says so.
    pub fn offer(
        &self,
        by_model: impl FnOnce() -> bool,
        spare: impl FnOnce() -> Option<Spare>,
    ) -> Option<Offer> {
        let counts = self.skill.weight() > 0.0 || by_model();
        let mean = self.mean().filter(|_| counts && !self.comparison.pauses())?;
        Some(Offer::new(spare()?, mean))
    }

    /// What predictions are worth.
    pub fn skill(&self) -> &Skill {
        &self.skill
    }

    /// What they do.
    pub fn comparison(&self) -> &Comparison {
        &self.comparison
    }
}
