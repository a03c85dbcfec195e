//! When a request that takes long is sent a second time.
//!
//! *The Tail at Scale* (Dean and Barroso, CACM 56 (2), 2013): send a request to a second replica once it has
//! taken longer than most do, and take the answer that comes first. The tail becomes that of the better of
//! two, for a few per cent of load more.

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
    Quantile(Quantile),
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
            (None, Some(percentile)) => After::Quantile(Quantile::new(percentile.fraction())),
            _ => {
                issues.push(Issue::new(at, "expected exactly one of `after` and `percentile`"));
                return None;
            }
        };
        let allowance = Allowance { per_request: plan.budget.fraction(), per_second: FLOOR };
        Some(Self { after, allowance, budget: Budget::new(allowance, now) })
    }

    /// A request is sent for the first time: how long until it may be hedged; `None` while too little is
    /// known of the route.
    pub fn begin(&self) -> Option<Duration> {
        self.budget.earn();
        match &self.after {
            After::Fixed(after) => Some(*after),
            After::Quantile(quantile) => quantile.value(),
        }
    }

    /// Whether the budget has one hedge left, which is spent by asking.
    pub fn spend(&self, now: Moment) -> bool {
        self.budget.spend(self.allowance, now)
    }

    /// A request, hedged or not, was answered after `took`.
    pub fn answered(&self, took: Duration) {
        if let After::Quantile(quantile) = &self.after {
            quantile.record(took);
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
        assert_eq!(hedge.begin(), Some(Duration::from_millis(50)));
    }

    #[test]
    fn a_percentile_is_learned_first() {
        let hedge = hedge(json!({"percentile": 95.0, "budget": 5.0})).unwrap();
        assert_eq!(hedge.begin(), None);
        (0..1_000).for_each(|_| hedge.answered(Duration::from_millis(7)));
        let after = hedge.begin().unwrap().as_secs_f64();
        assert!((0.005..0.009).contains(&after), "{after}");
    }

    #[test]
    fn hedges_keep_within_their_budget() {
        let hedge = hedge(json!({"after": 1, "budget": 5.0})).unwrap();
        let granted = || (0..100).filter(|_| hedge.spend(Moment::default())).count();
        assert_eq!(granted(), 2, "the floor of ten seconds");
        (0..100).for_each(|_| _ = hedge.begin());
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
