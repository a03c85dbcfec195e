//! Mistakes in the balancing of a plan.

use std::collections::HashSet;

use super::strategy;
use crate::field::is_token;
use crate::plan::{HashKey, Issue, Upstream};

/// Bounds of what a pick by Prequal costs: it looks at every answer and every probe.
const MOST_ANSWERS: u32 = 256;
const MOST_PROBES: u32 = 16;

/// All mistakes in how `upstream`, whose place in the plan is `path` (like `upstreams.0`), is balanced.
pub fn check(path: &str, upstream: &Upstream) -> Vec<Issue> {
    let balance = &upstream.balance;
    let mut issues = Vec::new();
    let mut report = |option: &str, message: String| {
        issues.push(Issue::new(format!("{path}.{option}"), message));
    };
    let hashes = strategy(balance.policy).hashes;
    match balance.hash.as_ref().map(given) {
        Some(1) => {}
        Some(n) => report(
            "balance.hash",
            format!("takes exactly one of header, cookie, path and client_address, not {n}"),
        ),
        None if hashes => report(
            "balance.hash",
            "the policy needs to know what is hashed: header, cookie, path or client_address"
                .into(),
        ),
        None => {}
    }
    if balance.choices == Some(0) {
        report("balance.choices", "must be at least 1; leave it out to compare all".into());
    }
    if !balance.load_bound.is_finite() || balance.load_bound < 1.0 {
        report(
            "balance.load_bound",
            format!("must be at least 1, the mean load itself, not {}", balance.load_bound),
        );
    }
    if !(balance.spill_over > 0.0 && balance.spill_over <= 100.0) {
        report(
            "balance.spill_over",
            format!("must be above 0 and at most 100 percent, not {}", balance.spill_over),
        );
    }
    if let Some(slow_start) = &balance.slow_start {
        if slow_start.window.0 == 0 {
            report("balance.slow_start.window", "must be longer than zero".into());
        }
        if !(slow_start.minimum > 0.0 && slow_start.minimum <= 1.0) {
            report(
                "balance.slow_start.minimum",
                format!("must be above 0 and at most 1, not {}", slow_start.minimum),
            );
        }
    }
    if let Some(sticky) = &balance.sticky {
        if !is_token(&sticky.cookie) {
            report("balance.sticky.cookie", format!("{:?} cannot name a cookie", sticky.cookie));
        }
        if !sticky.path.starts_with('/') || sticky.path.contains([';', '\r', '\n']) {
            report("balance.sticky.path", "must start with / and hold no semicolon".into());
        }
    }
    if balance.decay.0 == 0 {
        report("balance.decay", "must be longer than 0".into());
    }
    if let Some(probe) = &balance.probe {
        if !probe.path.starts_with('/') {
            report("balance.probe.path", "must begin with /".into());
        }
        if probe.interval.0 == 0 {
            report("balance.probe.interval", "must be longer than 0".into());
        }
        if probe.limit == 0 {
            report("balance.probe.limit", "must be at least 1".into());
        }
    }
    let prequal = &balance.prequal;
    if !(2..=MOST_ANSWERS).contains(&prequal.pool) {
        report("balance.prequal.pool", format!("must be from 2 to {MOST_ANSWERS}"));
    }
    if !(1..=MOST_PROBES).contains(&prequal.probes) {
        report("balance.prequal.probes", format!("must be from 1 to {MOST_PROBES}"));
    }
    if prequal.remove >= prequal.probes {
        report("balance.prequal.remove", "must be less than probes, or the pool runs dry".into());
    }
    if !(prequal.reuse.is_finite() && prequal.reuse >= 0.0) {
        report("balance.prequal.reuse", "must not be negative".into());
    }
    if !(0.0..=1.0).contains(&prequal.quantile) {
        report("balance.prequal.quantile", "must be from 0 to 1".into());
    }
    let mut seen = HashSet::new();
    for (index, endpoint) in upstream.endpoints.iter().enumerate() {
        if !seen.insert(&endpoint.address) {
            report(
                &format!("endpoints.{index}.address"),
                format!(
                    "{} is in this upstream already; give it a weight instead",
                    endpoint.address
                ),
            );
        }
    }
    issues
}

/// How many of the fields are given.
fn given(key: &HashKey) -> usize {
    let fields = [
        key.header.is_some(),
        key.cookie.is_some(),
        key.path == Some(true),
        key.client_address == Some(true),
    ];
    fields.into_iter().filter(|&given| given).count()
}
