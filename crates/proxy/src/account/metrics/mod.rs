//! What is counted.
//!
//! Counting is cheap because a handle (`Arc<RouteMetrics>` and its like) is fetched once, when a
//! snapshot is built; on a request it only adds to cells of its own worker (`Sharded`).
//!
//! Each thing that is counted has a file: its handle, and the families of its counts, so that another count is a change
//! of that file. What is read when the page is asked for, as how many requests are in flight, is no count: the engine,
//! which makes the page, adds it.
//!
//! The registry keeps no handle alive: it finds by name those that a snapshot holds. So a reload
//! keeps the counts of what it keeps, and what no snapshot or connection uses any more leaves the
//! registry, and the exposition, by itself.

mod admission;
mod authenticator;
mod cache;
mod class;
mod endpoint;
mod health;
mod histogram;
mod listener;
mod predict;
mod quic;
mod rate_limit;
mod registry;
mod request;
mod route;
mod rpc;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod tunnel;
mod tunnel_traffic;
mod upstream;
mod worker;

pub use authenticator::{AuthResult, AuthenticatorMetrics};
pub use cache::{CacheMetrics, CacheResult, CachedRouteMetrics, FillResult, FleetPurge, PurgeKind};
pub use endpoint::EndpointMetrics;
pub use listener::ListenerMetrics;
pub use predict::PredictCounts;
pub use quic::{QuicEvent, QuicMetrics};
pub use rate_limit::{Held, RateLimitMetrics, RateResult};
pub use registry::Metrics;
pub use request::RequestCounts;
pub use route::RouteMetrics;
pub use rpc::RpcMetrics;
pub use store::StoreMetrics;
pub use tunnel::OpenTunnel;
pub use upstream::UpstreamMetrics;
pub use worker::WorkerMetrics;
