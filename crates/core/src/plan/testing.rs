//! A plan for tests, and the defaults of the configuration.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Upstream;

/// A number of the type that is wanted, which must be within its bounds.
pub(crate) fn number<T: DeserializeOwned>(value: impl Into<Value>) -> T {
    match serde_json::from_value(value.into()) {
        Ok(number) => number,
        Err(error) => unreachable!("{error}"),
    }
}

/// The options of a group, like `UpstreamLimits`, as they are where nothing is configured: core has no defaults of
/// its own, so they are read from the schema that is made of the control plane's.
pub(crate) fn defaults<T: DeserializeOwned>(group: &str) -> T {
    let schema: Value =
        match serde_json::from_str(include_str!("../../../../schema/tidegate.schema.json")) {
            Ok(schema) => schema,
            Err(error) => unreachable!("schema/tidegate.schema.json: {error}"),
        };
    let options = schema["$defs"][group]["properties"].as_object().into_iter().flatten();
    let defaults: Map<String, Value> =
        options.map(|(name, option)| (name.clone(), option["default"].clone())).collect();
    match serde_json::from_value(defaults.into()) {
        Ok(options) => options,
        Err(error) => unreachable!("{group}: {error}"),
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
