//! What a request came to: its record, the stories that explain it, the access log and the metrics.

pub mod access_log;
mod civil;
pub mod explain;
mod exposition;
pub mod metrics;
pub mod record;
mod sharded;
