//! A plan for tests.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Upstream;

/// A number of the type that is wanted, which must be within its bounds.
pub(crate) fn number<T: DeserializeOwned>(value: impl Into<Value>) -> T {
    match serde_json::from_value(value.into()) {
        Ok(number) => number,
        Err(error) => unreachable!("{error}"),
    }
}

/// A plan of one listener, one route, and one upstream of one endpoint, whose options are as plain as they can be.
/// Tests of other crates and benchmarks read the same file.
pub(crate) fn plan() -> Value {
    match serde_json::from_str(include_str!("../../tests/plan.json")) {
        Ok(plan) => plan,
        Err(error) => unreachable!("crates/core/tests/plan.json: {error}"),
    }
}

/// Its upstream.
pub(crate) fn upstream() -> Upstream {
    match serde_json::from_value(plan()["upstreams"][0].take()) {
        Ok(upstream) => upstream,
        Err(error) => unreachable!("crates/core/tests/plan.json: {error}"),
    }
}
