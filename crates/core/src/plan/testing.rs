//! A plan for tests.

use super::Upstream;

/// An upstream without endpoints whose options are as plain as they can be. Tests of other crates and
/// benchmarks read the same file.
pub(crate) fn upstream() -> Upstream {
    match serde_json::from_str(include_str!("../../tests/upstream.json")) {
        Ok(upstream) => upstream,
        Err(error) => unreachable!("crates/core/tests/upstream.json: {error}"),
    }
}
