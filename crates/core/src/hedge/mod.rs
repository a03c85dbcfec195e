//! When a request that takes long is sent a second time.
//!
//! *The Tail at Scale* (Dean and Barroso, CACM 56 (2), 2013): send a request to a second replica once it has
//! taken longer than most do, and take the answer that comes first. The tail becomes that of the better of
//! two, for a few per cent of load more.
//!
//! Where it is [predicted](crate::predict) what requests cost, each has a quantile of its own: else the light ones that
//! take long are hedged late, and the heavy ones for being heavy.

mod normal;
mod quantile;

use std::time::Duration;

pub use quantile::Quantile;

use crate::plan::{self, Issue};
use crate::retry::{Allowance, Budget};
use crate::time::Moment;

/// Hedges a second that are allowed for whatever the requests, for routes with few of them.
const FLOOR: f64 = 0.2;

/// When the requests of one route are hedged.
#[derive(Debug)]
pub struct Hedge {
    after: After,
    allowance: Allowance,
    budget: Budget,
}

#[derive(Debug)]
enum After {
    Fixed(Duration),
    Quantile(Learnt),
}

/// The quantile that requests are hedged after.
#[derive(Debug)]
struct Learnt {
    /// So many standard deviations above the mean, where logarithms are distributed normally.
    deviations: f32,
    /// Of the time that requests took, in seconds.
    took: Quantile,
    /// Of that time ÷ the quantile that was predicted for each, which leaves out waits, and is of costs.
    beyond: Quantile,
}

impl Learnt {
    fn new(q: f64) -> Self {
        let (took, beyond) = (Quantile::new(q), Quantile::new(q));
        Self { deviations: normal::quantile(q) as f32, took, beyond }
    }

    fn after(&self, predicted: Option<Duration>) -> Option<Duration> {
        let own = |predicted: Duration| Some(predicted.as_secs_f32() * self.beyond.value()?);
        let seconds = predicted.and_then(own).or_else(|| self.took.value())?;
        Some(Duration::try_from_secs_f32(seconds).unwrap_or(Duration::MAX))
    }

    fn record(&self, took: Duration, predicted: Option<Duration>) {
        self.took.record(took.as_secs_f32());
        if let Some(predicted) = predicted.filter(|predicted| !predicted.is_zero()) {
            self.beyond.record(took.div_duration_f32(predicted));
        }
    }
}

impl Hedge {
    /// Reads the option `plan`, which stands at `at` (like `routes.3.hedge`), for use from `now` on. What is
    /// wrong is added to `issues`.
    pub fn build(
        plan: &plan::Hedge,
        at: &str,
        now: Moment,
        issues: &mut Vec<Issue>,
    ) -> Option<Self> {
        let after = match (plan.after, plan.percentile) {
            (Some(after), None) => After::Fixed(after.duration()),
            (None, Some(percentile)) => After::Quantile(Learnt::new(percentile.fraction())),
            _ => {
                issues.push(Issue::new(at, "expected exactly one of `after` and `percentile`"));
                return None;
            }
        };
        let allowance = Allowance { per_request: plan.budget.fraction(), per_second: FLOOR };
        Some(Self { after, allowance, budget: Budget::new(allowance, now) })
    }

    /// How far above the mean of the logarithm a [predicted](crate::predict::Predictor::quantile) cost is of use here, in
    /// standard deviations; `None`: it is of none.
    pub fn deviations(&self) -> Option<f32> {
        match &self.after {
            After::Fixed(_) => None,
            After::Quantile(learnt) => Some(learnt.deviations),
        }
    }

    /// A request is sent for the first time, for which this quantile is `predicted`: how long until it may be hedged;
    /// `None` while too little is known of the route.
    pub fn begin(&self, predicted: Option<Duration>) -> Option<Duration> {
        self.budget.earn();
        match &self.after {
            After::Fixed(after) => Some(*after),
            After::Quantile(learnt) => learnt.after(predicted),
        }
    }

    /// Whether the budget has one hedge left, which is spent by asking.
    pub fn spend(&self, now: Moment) -> bool {
        self.budget.spend(self.allowance, now)
    }

    /// A request, hedged or not, was answered after it `took` so long; what was `predicted` for it is as at its
    /// beginning.
    pub fn answered(&self, took: Duration, predicted: Option<Duration>) {
        if let After::Quantile(learnt) = &self.after {
            learnt.record(took, predicted);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hedge(plan: Value) -> Result<Hedge, Vec<String>> {
        let mut issues = Vec::new();
        let plan = serde_json::from_value(plan).unwrap();
        Hedge::build(&plan, "routes.0.hedge", Moment::default(), &mut issues)
            .ok_or_else(|| issues.into_iter().map(|issue| issue.path).collect())
    }

    #[test]
    fn a_fixed_delay_holds_from_the_first_request_on() {
        let hedge = hedge(json!({"after": 50, "budget": 5.0})).unwrap();
        assert_eq!(hedge.begin(None), Some(Duration::from_millis(50)));
    }

    #[test]
    fn a_percentile_is_learned_first() {
        let hedge = hedge(json!({"percentile": 95.0, "budget": 5.0})).unwrap();
        assert_eq!(hedge.begin(None), None);
        (0..1_000).for_each(|_| hedge.answered(Duration::from_millis(7), None));
        let after = hedge.begin(None).unwrap().as_secs_f64();
        assert!((0.005..0.009).contains(&after), "{after}");
    }

    #[test]
    fn a_request_of_which_a_quantile_is_predicted_has_its_own() {
        let hedge = hedge(json!({"percentile": 95.0, "budget": 5.0})).unwrap();
        let millis = Duration::from_millis;
        // One in ten of both takes three times as long as predicted.
        for turn in 0..4_000 {
            let predicted = millis(if turn % 2 == 0 { 4 } else { 400 });
            let took = if turn / 2 % 10 == 0 { predicted * 3 } else { predicted / 2 };
            hedge.answered(took, Some(predicted));
        }
        let after = |predicted| hedge.begin(Some(millis(predicted))).unwrap();
        assert!((millis(8)..millis(16)).contains(&after(4)), "{:?}", after(4));
        assert!((millis(800)..millis(1_600)).contains(&after(400)), "{:?}", after(400));
        assert!(hedge.begin(None).unwrap() > millis(100), "that of all");
    }

    #[test]
    fn before_predictions_were_compared_with_answers_the_quantile_is_that_of_all() {
        let hedge = hedge(json!({"percentile": 95.0, "budget": 5.0})).unwrap();
        (0..1_000).for_each(|_| hedge.answered(Duration::from_millis(7), None));
        assert_eq!(hedge.begin(Some(Duration::from_secs(9))), hedge.begin(None));
        assert!((hedge.deviations().unwrap() - 1.645).abs() < 1e-3);
    }

    #[test]
    fn hedges_keep_within_their_budget() {
        let hedge = hedge(json!({"after": 1, "budget": 5.0})).unwrap();
        let granted = || (0..100).filter(|_| hedge.spend(Moment::default())).count();
        assert_eq!(granted(), 2, "the floor of ten seconds");
        (0..100).for_each(|_| _ = hedge.begin(None));
        assert_eq!(granted(), 5);
    }

    #[test]
    fn mistakes_are_named_by_their_place() {
        let wrong = |plan| hedge(plan).err().unwrap();
        assert_eq!(wrong(json!({"budget": 5.0})), ["routes.0.hedge"]);
        assert_eq!(
            wrong(json!({"after": 1, "percentile": 95.0, "budget": 5.0})),
            ["routes.0.hedge"]
        );
    }
}
