//! What the data plane tells: metrics, the access log, the stories of requests and the log of the process.

pub mod access_log;
mod civil;
pub mod explain;
mod exposition;
pub mod log;
pub mod metrics;
mod sharded;
