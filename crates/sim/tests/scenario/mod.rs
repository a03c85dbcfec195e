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
        "upstream": {
            "name": "servers",
            "balance": with(usual_balance(), balance),
            "endpoints": endpoints,
            "protocol": "http1",
            "pool": {"idle_timeout": 1, "max_age": 1, "max_idle": 1},
            "timeouts": {"connect": 1, "response": 1, "idle": 1},
            "health": {
                "interval": 1, "timeout": 1, "rise": 1, "fall": 1,
                "passive": {"failures": 1, "rest": 1_000, "max_rest": 60_000},
            },
        },
    })
}

fn usual_balance() -> Value {
    let prequal = json!({
        "pool": 16, "probes": 3, "age": 1_000, "remove": 1, "reuse": 1.0, "quantile": 0.6,
    });
    json!({
        "load_bound": 1.25, "spill_over": 70.0, "subset_fallback": "any", "decay": 10_000, "clients": 1, "forward_reports": false, "prequal": prequal,
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
