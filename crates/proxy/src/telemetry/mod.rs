//! What the data plane tells: metrics, the access log and the log of the process.

pub mod access_log;
mod civil;
mod exposition;
pub mod log;
pub mod metrics;
mod sharded;
