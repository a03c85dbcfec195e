//! A model on probation: what its answers are worth, and whether it is still to be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::drift::{Drift, Spreads};
use super::features::{EXPECTED, Features, VARIANCE};
use super::node::Estimate;
use super::skill::Skill;

/// Answers whose times are looked at together.
const TIMED: u32 = 1_000;
/// Of these may take too long: 1 %.
const LATE: u32 = TIMED / 100;
/// So many times the budget is too long for a single answer.
const TOO_LONG: u32 = 5;

/// Why a model is not asked any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fall {
    /// The learner was nearer to the costs.
    Skill,
    /// Requests, or how far it was off, are spread otherwise than when it was trained.
    Drift,
    /// It took too long for its answers.
    Budget,
    /// Requests took longer with it than without.
    Outcome,
    /// It said what is no number.
    NotFinite,
}

impl Fall {
    /// All reasons.
    pub const ALL: [Self; 5] =
        [Self::Skill, Self::Drift, Self::Budget, Self::Outcome, Self::NotFinite];

    /// Its name in events and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Skill => "skill",
            Self::Drift => "drift",
            Self::Budget => "budget",
            Self::Outcome => "outcome",
            Self::NotFinite => "not_finite",
        }
    }
}

/// What the answers of one model, of one upstream's requests, came to.
#[derive(Debug)]
pub struct Probation {
    /// How much it explains of what the learner leaves unexplained.
    gain: Skill,
    /// How much it explains of all.
    skill: Skill,
    drift: Drift,
    judged: AtomicU64,
    timed: AtomicU32,
    late: AtomicU32,
}

impl Probation {
    /// Nothing was asked yet. It was trained where everything was spread so.
    pub fn new(spreads: Arc<Spreads>) -> Self {
        Self {
            gain: Skill::default(),
            skill: Skill::default(),
            drift: Drift::new(spreads),
            judged: AtomicU64::new(0),
            timed: AtomicU32::new(0),
            late: AtomicU32::new(0),
        }
    }

    /// An answer took so long, where it may take `budget`.
    pub fn timed(&self, took: Duration, budget: Duration) -> Option<Fall> {
        if took > budget * TOO_LONG {
            self.late.fetch_add(1, Relaxed);
        }
        // One thread fills the window.
        if self.timed.fetch_add(1, Relaxed) + 1 != TIMED {
            return None;
        }
        self.timed.store(0, Relaxed);
        (self.late.swap(0, Relaxed) > LATE).then_some(Fall::Budget)
    }

    /// A request with these `features`, of which the model `said` how much dearer than expected it would be, cost
    /// `actual`, and requests `usually` do: logarithms of seconds.
    pub fn judge(
        &self,
        features: &Features,
        said: f32,
        actual: f32,
        usually: &Estimate,
    ) -> Option<Fall> {
        self.judged.fetch_add(1, Relaxed);
        let (learnt, predicted) = (features[EXPECTED], features[EXPECTED] + said);
        self.gain.record(actual, predicted, learnt);
        if usually.answers > 0.0 {
            self.skill.record(actual, predicted, usually.mean);
        }
        let has_drifted = self.drift.record(features, actual - predicted);
        let is_behind = self.gain.upper_bound().is_some_and(|bound| bound < 0.0);
        match (is_behind, has_drifted) {
            (true, _) => Some(Fall::Skill),
            (false, true) => Some(Fall::Drift),
            (false, false) => None,
        }
    }

    /// The logarithm of the expected cost where the model `said` so much: a lognormal distribution's mean, whose
    /// variance is what the model leaves of the learner's.
    pub fn expected(&self, features: &Features, said: f32) -> f32 {
        let left = 1.0 - self.gain.bound().clamp(0.0, 1.0);
        features[EXPECTED] + said + features[VARIANCE] * left / 2.0
    }

    /// How much it explains of what the learner leaves unexplained.
    pub fn gain(&self) -> &Skill {
        &self.gain
    }

    /// How far it is believed, from 0 to 1.
    pub fn weight(&self) -> f32 {
        self.skill.weight()
    }

    /// Answers that were compared with what requests cost.
    pub fn judged(&self) -> u64 {
        self.judged.load(Relaxed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::drift::Spread;
    use super::super::features::COUNT;
    use super::*;
    use crate::balance::SplitMix64;

    const BUDGET: Duration = Duration::from_micros(5);

    fn probation() -> Probation {
        let any = Spread::new(vec![], vec![1.0]).unwrap();
        Probation::new(Arc::new(Spreads::new(vec![], any).unwrap()))
    }

    /// Judge so many answers, each of a request whose residual is drawn, where `said` is told it. Answers with the first
    /// fall, and after how many.
    fn judged(
        probation: &Probation,
        answers: usize,
        said: impl Fn(f32, &mut SplitMix64) -> f32,
    ) -> Option<(Fall, usize)> {
        let usual = Estimate { mean: -3.0, variance: 1.0, answers: 100.0 };
        let (mut random, mut features) = (SplitMix64::new(3), [0.0; COUNT]);
        (features[EXPECTED], features[VARIANCE]) = (-3.0, 1.0);
        (0..answers).find_map(|turn| {
            let residual = (random.fraction() + random.fraction() - 1.0) as f32 * 2.0;
            let said = said(residual, &mut random);
            let fall = probation.judge(&features, said, -3.0 + residual, &usual);
            fall.map(|fall| (fall, turn + 1))
        })
    }

    #[test]
    fn a_model_that_knows_more_than_the_learner_stays_and_is_believed() {
        let probation = probation();
        assert_eq!(judged(&probation, 10_000, |residual, _| residual * 0.8), None);
        assert!(probation.gain().bound() > 0.8 && probation.weight() == 1.0);
        assert_eq!(probation.judged(), 10_000);
    }

    #[test]
    fn one_that_knows_less_falls_after_two_thousand_answers() {
        for said in [
            (|residual, _| -residual) as fn(f32, &mut SplitMix64) -> f32,
            |_, random| random.fraction() as f32 * 4.0 - 2.0,
            |_, _| 1.0,
            |_, _| f32::NAN,
            |_, _| 1e30,
        ] {
            let probation = probation();
            let (fall, answers) = judged(&probation, 10_000, said).unwrap();
            assert!(fall == Fall::Skill && (2_000..2_100).contains(&answers), "{answers}");
            assert_eq!(probation.weight(), 0.0);
        }
    }

    #[test]
    fn one_that_knows_nothing_neither_falls_nor_is_believed() {
        let probation = probation();
        assert_eq!(judged(&probation, 10_000, |_, _| 0.0), None);
        assert_eq!(probation.weight(), 0.0);
    }

    #[test]
    fn a_right_one_that_is_poisoned_falls_within_two_thousand_answers() {
        let probation = probation();
        assert_eq!(judged(&probation, 5_000, |residual, _| residual), None);
        let (fall, answers) = judged(&probation, 5_000, |residual, _| -residual).unwrap();
        assert!(fall == Fall::Skill && answers < 2_000, "{answers}");
    }

    #[test]
    fn costs_that_are_spread_otherwise_are_a_drift() {
        let even = Spread::new(vec![-0.1, 0.1], vec![0.1, 0.8, 0.1]).unwrap();
        let probation = Probation::new(Arc::new(Spreads::new(vec![], even).unwrap()));
        assert_eq!(judged(&probation, 4_000, |residual, _| residual), None);
        let (fall, _) = judged(&probation, 8_000, |residual, _| residual * 0.5).unwrap();
        assert_eq!(fall, Fall::Drift);
    }

    #[test]
    fn answers_that_take_too_long_more_than_now_and_then_are_a_fall() {
        let falls = |late_every: u32| {
            let probation = probation();
            (1..=3_000).find_map(|turn: u32| {
                let took = if turn.is_multiple_of(late_every) { BUDGET * 6 } else { BUDGET * 5 };
                probation.timed(took, BUDGET)
            })
        };
        assert_eq!((falls(100), falls(50)), (None, Some(Fall::Budget)));
    }
}
