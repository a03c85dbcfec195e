//! Finding what is wrong with a plan without serving it.

use std::collections::HashSet;

use tidegate_core::plan::{Issue, Plan};

use crate::account::metrics::Metrics;
use crate::net::Address;
use crate::snapshot::Settings;
use crate::snapshot::Snapshot;

/// Everything that is wrong with `plan`, apart from what only binding its addresses and opening its
/// log would tell.
pub fn check(mut plan: Plan) -> Vec<Issue> {
    let mut issues = Vec::new();
    for (index, listener) in plan.listeners.iter().enumerate() {
        let path = format!("listeners.{index}");
        if let Err(wrong) = Address::parse(&listener.address) {
            issues.push(Issue::new(format!("{path}.address"), wrong));
        }
        if let Err(more) = Settings::build(listener, None, &path) {
            issues.extend(more);
        }
    }
    plan.access_log = None;
    if let Err(more) = Snapshot::build(plan, None, &Metrics::new(1)) {
        issues.extend(more);
    }
    let mut seen = HashSet::new();
    issues.retain(|issue| seen.insert(issue.to_string()));
    issues
}
