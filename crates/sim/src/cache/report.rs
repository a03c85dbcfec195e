//! What came out of a run.

use serde::Serialize;

/// What was asked for, and what was missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Requests.
    pub requests: u64,
    /// The sum of what they asked for.
    pub bytes: u64,
    /// Different objects among them.
    pub objects: u64,
    /// The sum of the sizes of the different objects.
    pub footprint: u64,
    /// What was missed, for each capacity.
    pub misses: Vec<Misses>,
    /// What a cache misses that keeps everything: the first request for each object.
    pub unbounded: Misses,
}

/// What one cache missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misses {
    /// Its capacity in bytes.
    pub capacity: u64,
    /// Requests.
    pub requests: u64,
    /// The sum of what they asked for.
    pub bytes: u64,
}
