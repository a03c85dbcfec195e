//! What is counted, and for whom.
//!
//! Counting is cheap because a handle (`Arc<RouteMetrics>` and its like) is fetched once, when a
//! snapshot is built; on a request it only adds to cells of its own worker (`Sharded`).
//!
//! The registry keeps no handle alive: it finds by name those that a snapshot holds. So a reload
//! keeps the counts of what it keeps, and what no snapshot or connection uses any more leaves the
//! registry, and the exposition, by itself.

mod handles;
mod histogram;
mod registry;
mod render;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use handles::{
    CodeClass, EndpointMetrics, EndpointState, ListenerMetrics, RouteMetrics, UpstreamMetrics,
    UpstreamState, WorkerMetrics,
};
pub use registry::Metrics;
