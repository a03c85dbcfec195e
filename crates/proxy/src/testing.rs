//! For tests: the plan that core's tests have, and the size of futures.

use serde_json::{Value, json};
use tidegate_core::plan::{self, Plan};

/// A plan of one listener, one route, and one upstream of one endpoint, as data.
pub fn plan_data() -> Value {
    match serde_json::from_str(include_str!("../../core/tests/plan.json")) {
        Ok(plan) => plan,
        Err(error) => unreachable!("crates/core/tests/plan.json: {error}"),
    }
}

/// The same, read.
pub fn plan() -> Plan {
    match serde_json::from_value(plan_data()) {
        Ok(plan) => plan,
        Err(error) => unreachable!("crates/core/tests/plan.json: {error}"),
    }
}

/// Its upstream, without the endpoint.
pub fn upstream() -> plan::Upstream {
    let mut upstream = plan::Upstream::clone(&plan().upstreams[0]);
    upstream.endpoints.clear();
    upstream
}

/// An endpoint of the plan, at `address`.
pub fn endpoint(address: &str) -> plan::Endpoint {
    let mut endpoint = plan_data()["upstreams"][0]["endpoints"][0].take();
    endpoint["address"] = json!(address);
    match serde_json::from_value(endpoint) {
        Ok(endpoint) => endpoint,
        Err(error) => unreachable!("crates/core/tests/plan.json: {error}"),
    }
}

/// Bytes of the largest block that the allocator (mimalloc, `MI_SMALL_SIZE_MAX`) hands out without searching for it.
pub const SMALL_BLOCK: usize = 1024;

/// Bytes of the future that `call` would make; it is not called.
pub fn size_of_future<F: Future>(_: impl FnOnce() -> F) -> usize {
    size_of::<F>()
}

/// An argument of a call that is not made.
pub fn unmade<T>() -> T {
    unreachable!("the call is not made")
}
