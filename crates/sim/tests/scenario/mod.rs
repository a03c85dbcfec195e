//! Scenarios as JSON, to be changed in part.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use tidegate_sim::Scenario;

pub const MILLISECOND: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MILLISECOND;

/// One gateway before as many servers as there are items in `servers`; each item says what is
/// different from a server of one worker.
pub fn scenario(balance: Value, servers: &[Value]) -> Value {
    let servers = servers
        .iter()
        .map(|different| with(json!({"workers": 1, "speed": 1, "phases": []}), different.clone()));
    let servers: Vec<_> = servers.collect();
    let endpoints: Vec<_> = (0..servers.len())
        .map(|n| json!({"address": format!("server-{n}:80"), "weight": 1, "drain": false, "priority": 0, "labels": {}}))
        .collect();
    let mut plan: Value =
        serde_json::from_str(include_str!("../../../core/tests/plan.json")).unwrap();
    let mut upstream = plan["upstreams"][0].take();
    upstream["balance"] = with(upstream["balance"].take(), balance);
    upstream["endpoints"] = json!(endpoints);
    json!({
        "seed": 1,
        "warmup": SECOND,
        "duration": 100 * SECOND,
        "arrivals": {"poisson": {"rate": 100.0}},
        "work": [{"weight": 1, "service": {"exponential": {"mean": MILLISECOND}}}],
        "gateways": 1,
        "network": {"constant": {"value": 0}},
        "reports": false,
        "retry": {"attempts": 1, "backoff": 0},
        "servers": servers,
        "upstream": upstream,
    })
}

/// `base` with the options of `different` in place of its own.
pub fn with(mut base: Value, different: Value) -> Value {
    base.as_object_mut().unwrap().extend(different.as_object().unwrap().clone());
    base
}

/// A scenario as the simulator takes it.
pub fn read(scenario: Value) -> Scenario {
    serde_json::from_value(scenario).unwrap()
}
