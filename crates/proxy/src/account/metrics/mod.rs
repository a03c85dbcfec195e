//! What is counted, and for whom.
//!
//! Counting is cheap because a handle (`Arc<RouteMetrics>` and its like) is fetched once, when a
//! snapshot is built; on a request it only adds to cells of its own worker (`Sharded`).
//!
//! Each thing that is counted has a file: its handle, and how its counts are rendered.
//!
//! The registry keeps no handle alive: it finds by name those that a snapshot holds. So a reload
//! keeps the counts of what it keeps, and what no snapshot or connection uses any more leaves the
//! registry, and the exposition, by itself.

mod admission;
mod class;
mod endpoint;
mod health;
mod histogram;
mod listener;
mod registry;
mod render;
mod request;
mod route;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod upstream;
mod worker;

pub use admission::UpstreamState;
pub use endpoint::{EndpointMetrics, EndpointState};
pub use listener::ListenerMetrics;
pub use registry::Metrics;
pub use request::RequestCounts;
pub use route::RouteMetrics;
pub use upstream::UpstreamMetrics;
pub use worker::WorkerMetrics;
