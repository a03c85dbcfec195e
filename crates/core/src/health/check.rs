//! Mistakes in the health settings of a plan.

use crate::plan::{self, Issue};

/// All mistakes in `health`, whose place in the plan is `path` (like `upstreams.0.health`).
pub fn check(path: &str, health: &plan::Health) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut demand = |met: bool, option: &str, message: &str| {
        if !met {
            issues.push(Issue::new(format!("{path}.{option}"), message));
        }
    };
    let passive = &health.passive;
    demand(health.rise > 0, "rise", "must be at least 1");
    demand(health.fall > 0, "fall", "must be at least 1");
    demand(health.interval.0 > 0, "interval", "must be longer than zero");
    demand(health.timeout.0 > 0, "timeout", "must be longer than zero");
    demand(passive.failures > 0, "passive.failures", "must be at least 1");
    demand(passive.rest.0 > 0, "passive.rest", "must be longer than zero");
    demand(passive.max_rest >= passive.rest, "passive.max_rest", "must not be shorter than `rest`");
    issues
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Millis, PassiveHealth};

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let health = plan::Health {
            http: None,
            interval: Millis(0),
            timeout: Millis(0),
            rise: 0,
            fall: 0,
            passive: PassiveHealth { failures: 0, rest: Millis(0), max_rest: Millis(0) },
        };
        let paths: Vec<_> = check("h", &health).into_iter().map(|issue| issue.path).collect();
        let expected =
            ["h.rise", "h.fall", "h.interval", "h.timeout", "h.passive.failures", "h.passive.rest"];
        assert_eq!(paths, expected);
    }

    #[test]
    fn the_longest_rest_is_not_shorter_than_the_first() {
        let health = plan::Health {
            http: None,
            interval: Millis(5_000),
            timeout: Millis(2_000),
            rise: 2,
            fall: 3,
            passive: PassiveHealth { failures: 3, rest: Millis(10), max_rest: Millis(9) },
        };
        let issues = check("h", &health);
        assert_eq!(issues.len(), 1);
        assert_eq!(issues[0].path, "h.passive.max_rest");
    }
}
