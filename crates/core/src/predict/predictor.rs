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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(60_000_000_000);

    fn branch(predictor: &Predictor, path: &str) -> Branch {
        let described = Described { route: 1, method: "GET", path: Some(path), size: None };
        predictor.branch(&described, NOW)
    }

    fn ended(cost: Option<Duration>) -> Ended {
        Ended { arm: Arm::PREDICTED, cost, took: cost, stands_for: 1, by_model: false }
    }

    /// After a thousand requests of two paths, that cost so many milliseconds.
    fn after(light: u64, heavy: u64) -> Predictor {
        let predictor = Predictor::new(5);
        for turn in 0..1_000 {
            // Some scatter: what is always the same has no variance to explain.
            for (path, cost) in [("/light/1", light), ("/heavy/1", heavy)] {
                let cost = Duration::from_micros(cost * (900 + turn % 200));
                predictor.ended(&branch(&predictor, path), ended(Some(cost)), NOW);
            }
        }
        predictor.renew(|| 8.0, NOW);
        predictor
    }

    #[test]
    fn nothing_is_predicted_before_predictions_have_proved_themselves() {
        let predictor = Predictor::new(5);
        let branch = branch(&predictor, "/light/1");
        assert_eq!(predictor.predict(&branch, NOW), None);
        assert_eq!(predictor.ended(&branch, ended(Some(Duration::from_millis(4))), NOW), 0.0);
        assert_eq!(predictor.predict(&branch, NOW), None);
    }

    #[test]
    fn where_paths_say_nothing_of_the_cost_nothing_is_predicted_nor_held() {
        let predictor = after(10, 10);
        assert_eq!(predictor.predict(&branch(&predictor, "/light/1"), NOW), None);
        assert_eq!(predictor.offer(|| false, || Some(Spare { slower: 10.0, quick: 8 })), None);
    }

    #[test]
    fn where_they_do_the_light_are_told_from_the_heavy() {
        let predictor = after(4, 400);
        let [light, heavy] = ["/light/2", "/heavy/2"]
            .map(|path| predictor.predict(&branch(&predictor, path), NOW).unwrap());
        assert!(light.cost < Duration::from_millis(5) && heavy.cost > Duration::from_millis(390));
        assert!(light.boost > heavy.boost);
        let offer = predictor.offer(|| false, || Some(Spare { slower: 10.0, quick: 8 })).unwrap();
        assert!((20..30).contains(&offer.every.as_millis()), "{offer:?}");
        let expected = predictor.ended(&branch(&predictor, "/heavy/3"), ended(None), NOW);
        assert!((2.0..2.6).contains(&expected), "a hundred is e^4.6, half of it above the mean");
    }

    /// After a second of so many requests of two paths, of which the part is learnt from that is to be, by turns.
    fn busy(rate: u32, light: u64, heavy: u64) -> Predictor {
        let predictor = Predictor::new(5);
        for turn in 0..10 * rate {
            let now = NOW.after(Duration::from_secs(1) * turn / rate);
            predictor.renew(|| 8.0, now);
            let one_in = predictor.part().recip().round() as u32;
            if turn % one_in == 0 {
                let is_light = (turn / one_in).is_multiple_of(2);
                let (path, cost) = if is_light { ("/light/1", light) } else { ("/heavy/1", heavy) };
                let cost = Duration::from_micros(cost * u64::from(900 + turn % 200));
                let ended = Ended { stands_for: one_in, ..ended(Some(cost)) };
                predictor.ended(&branch(&predictor, path), ended, now);
            }
        }
        predictor
    }

    #[test]
    fn where_nothing_follows_from_predictions_a_part_is_learnt_from_that_tells_what_they_are_worth()
    {
        let alike = busy(20_000, 4, 4);
        assert!((0.04..0.06).contains(&alike.part()), "{}", alike.part());
        assert_eq!(busy(500, 4, 4).part(), 1.0);
        let different = busy(20_000, 4, 400);
        assert_eq!((different.skill().weight(), different.part()), (1.0, 1.0));
    }

    #[test]
    fn a_quantile_is_that_of_the_requests_own_kind() {
        let predictor = after(4, 400);
        let quantile = |path| predictor.quantile(&branch(&predictor, path), 1.64, NOW).unwrap();
        let (light, heavy) = (quantile("/light/2").as_millis(), quantile("/heavy/2").as_millis());
        assert!((4..8).contains(&light) && (400..700).contains(&heavy), "{light} {heavy}");
        let unknown = Predictor::new(5);
        assert_eq!(unknown.quantile(&branch(&unknown, "/light/2"), 1.64, NOW), None);
    }

    #[test]
    fn a_request_is_slow_by_its_own_kind() {
        let predictor = after(4, 400);
        let slow = |path, millis| {
            predictor.is_slow(&branch(&predictor, path), Duration::from_millis(millis), NOW)
        };
        assert!(!slow("/light/2", 4) && slow("/light/2", 8));
        assert!(!slow("/heavy/2", 400) && slow("/heavy/2", 800));
        assert!(!Predictor::new(5).is_slow(&branch(&predictor, "/light/2"), Duration::MAX, NOW));
    }

    #[test]
    fn where_requests_take_longer_with_predictions_everything_is_as_without() {
        let predictor = after(4, 400);
        let mut now = NOW;
        while !predictor.comparison().is_off() {
            predictor.renew(|| 8.0, now);
            let (arm, light) = (predictor.arm(now), branch(&predictor, "/light/1"));
            let took = Duration::from_millis(if arm.predicts { 6 } else { 4 });
            let ended = Ended { arm, took: Some(took), ..ended(None) };
            predictor.ended(&light, ended, now);
            now = now.after(Duration::from_millis(50));
        }
        let branch = branch(&predictor, "/heavy/1");
        assert!(!predictor.arm(now).predicts);
        assert_eq!(predictor.predict(&branch, now), None);
        assert_eq!(predictor.offer(|| false, || Some(Spare { slower: 10.0, quick: 8 })), None);
        assert_eq!(predictor.ended(&branch, ended(None), now), 0.0);
        assert_eq!(predictor.skill().weight(), 1.0, "they hit, and do harm all the same");
    }

    #[test]
    fn a_model_that_counts_holds_back_and_does_no_harm_where_nothing_is_learnt_that_does() {
        let predictor = after(10, 10);
        let spare = || Some(Spare { slower: 10.0, quick: 8 });
        assert!(predictor.offer(|| true, spare).is_some());
        let mut now = NOW;
        while !predictor.comparison().is_off() {
            predictor.renew(|| 8.0, now);
            let arm = predictor.arm(now);
            let took = Duration::from_millis(if arm.predicts { 15 } else { 10 });
            let ended = Ended { arm, took: Some(took), by_model: true, ..ended(None) };
            predictor.ended(&branch(&predictor, "/light/1"), ended, now);
            now = now.after(Duration::from_millis(50));
        }
        assert_eq!(predictor.offer(|| true, spare), None);
    }

    #[test]
    fn in_the_slot_without_predictions_none_is_held_back() {
        let predictor = after(4, 400);
        predictor.renew(|| 8.0, NOW);
        let spare = Spare { slower: 10.0, quick: 8 };
        for millis in (0..5_000).step_by(10) {
            let arm = predictor.arm(NOW.after(Duration::from_millis(millis)));
            assert_eq!(predictor.offer(|| false, || Some(spare)).is_some(), arm.predicts);
        }
    }

    #[test]
    fn what_was_learnt_goes_on_in_the_next_process() {
        let before = after(4, 400);
        let text = serde_json::to_string(&before.knowledge(NOW)).unwrap();
        let known = serde_json::from_str(&text).unwrap();
        let start = Moment(1_000);
        let next = Predictor::restored(&known, start).unwrap();
        next.renew(|| 8.0, start);
        for path in ["/light/7", "/heavy/7"] {
            let branch = branch(&before, path);
            assert_eq!(next.estimate(&branch, start), before.estimate(&branch, NOW));
            assert_eq!(
                next.branch(
                    &Described { route: 1, method: "GET", path: Some(path), size: None },
                    start
                ),
                branch
            );
            assert!(next.predict(&branch, start).is_some());
        }
        assert_eq!(next.skill().weight(), before.skill().weight());
        assert_eq!(next.knowledge(start), known);
    }

    #[test]
    fn what_cannot_have_been_learnt_is_refused() {
        let known = serde_json::to_value(after(4, 400).knowledge(NOW)).unwrap();
        let spoilt: [(&str, serde_json::Value); 6] = [
            ("/version", 2.into()),
            ("/costs/root/variance", (-1.0).into()),
            ("/costs/nodes/0/1/answers", (-1.0).into()),
            ("/rate", (-3.0).into()),
            ("/distribution", vec![1].into()),
            ("/skill/0", 7.into()),
        ];
        for (place, value) in spoilt {
            let mut known = known.clone();
            *known.pointer_mut(place).unwrap() = value;
            let known = serde_json::from_value(known).unwrap();
            assert!(Predictor::restored(&known, NOW).is_err(), "{place}");
        }
    }

    #[test]
    fn a_template_that_clients_make_heavy_on_purpose_is_dearer_and_the_others_stay_as_they_are() {
        let predictor = after(4, 400);
        let [light, heavy] = ["/light/1", "/heavy/1"].map(|path| branch(&predictor, path));
        let before = predictor.estimate(&heavy, NOW).cost();
        for turn in 0..1_000 {
            let millis = if turn % 2 == 0 { 4_000 } else { 4 };
            predictor.ended(&light, ended(Some(Duration::from_millis(millis))), NOW);
        }
        let abused = predictor.estimate(&light, NOW);
        assert!(abused.cost() > Duration::from_millis(400), "{:?}", abused.cost());
        let honest = predictor.estimate(&heavy, NOW).cost().div_duration_f32(before);
        assert!((0.8..1.25).contains(&honest), "{honest}");
        if let Some(abused) = predictor.predict(&light, NOW) {
            let other = predictor.predict(&heavy, NOW).unwrap();
            assert!(
                abused.boost <= other.boost,
                "they go before no honest request that is as heavy"
            );
        }
    }

    #[test]
    fn paths_without_end_are_learnt_in_bounded_memory() {
        let predictor = Predictor::new(5);
        for turn in 0..100_000_u64 {
            let path = format!("/a{turn}b/c{}d/{turn}", turn.wrapping_mul(7919) % 10_007);
            let cost = Some(Duration::from_millis(4 + turn % 3));
            predictor.ended(&branch(&predictor, &path), ended(cost), NOW);
        }
        let known = serde_json::to_string(&predictor.knowledge(NOW)).unwrap();
        assert!(known.len() < 1 << 20, "{}", known.len());
        assert!(predictor.usual(NOW).cost() < Duration::from_millis(6));
    }

    #[test]
    fn a_jump_of_the_clock_leaves_what_the_parents_say() {
        let predictor = after(4, 400);
        let light = branch(&predictor, "/light/1");
        for now in [NOW.after(Duration::from_hours(24 * 365)), Moment(0), Moment(u64::MAX)] {
            predictor.renew(|| 8.0, now);
            let estimate = predictor.estimate(&light, now);
            assert!(estimate.is_possible(), "{estimate:?}");
            predictor.ended(&light, ended(Some(Duration::from_millis(4))), now);
            predictor.arm(now);
        }
    }

    #[test]
    fn a_models_word_is_taken_for_so_many_times_what_was_seen() {
        let predictor = after(4, 400);
        let seen = predictor.estimate(&branch(&predictor, "/light/2"), NOW);
        let twice = seen.cost().as_secs_f32() * 2.0;
        assert!((Predictor::model_factor(twice, &seen) - 2.0).abs() < 1e-3);
        assert_eq!(Predictor::model_factor(f32::NAN, &seen), 1.0);
    }

    #[test]
    fn a_models_word_that_cannot_be_is_not_taken() {
        let predictor = after(4, 400);
        let seen = predictor.estimate(&branch(&predictor, "/light/2"), NOW);
        for word in [f32::NAN, f32::INFINITY, -1.0, 0.0, 1e30] {
            let believed = predictor.believe(word, &seen, 1.0, NOW).unwrap();
            assert!(believed.cost < Duration::from_millis(5), "{word}: {believed:?}");
        }
    }
}
