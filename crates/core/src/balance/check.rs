//! Mistakes in the balancing of a plan.

use std::collections::HashSet;

use super::needs;
use crate::message::field::is_token;
use crate::plan::{HashKey, Issue, Upstream};

/// All mistakes in how `upstream`, whose place in the plan is `path` (like `upstreams.0`), is balanced.
pub fn check(path: &str, upstream: &Upstream) -> Vec<Issue> {
    let balance = &upstream.balance;
    let mut issues = Vec::new();
    let mut report = |option: &str, message: String| {
        issues.push(Issue::new(format!("{path}.{option}"), message));
    };
    let needs_key = needs(balance.policy).key;
    match balance.hash.as_ref().map(given) {
        Some(1) => {}
        Some(n) => report(
            "balance.hash",
            format!("takes exactly one of header, cookie, path and client_address, not {n}"),
        ),
        None if needs_key => report(
            "balance.hash",
            "the policy needs to know what is hashed: header, cookie, path or client_address"
                .into(),
        ),
        None => {}
    }
    if let Some(sticky) = &balance.sticky {
        // RFC 6265 §4.1.1.
        if !is_token(&sticky.cookie) {
            report("balance.sticky.cookie", format!("{:?} cannot name a cookie", sticky.cookie));
        }
        if !sticky.path.starts_with('/') || sticky.path.contains([';', '\r', '\n']) {
            report("balance.sticky.path", "must start with / and hold no semicolon".into());
        }
    }
    if balance.probe.as_ref().is_some_and(|probe| !probe.path.starts_with('/')) {
        report("balance.probe.path", "must begin with /".into());
    }
    let prequal = &balance.prequal;
    if prequal.remove >= prequal.probes.get() {
        report("balance.prequal.remove", "must be less than probes, or the pool runs dry".into());
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
