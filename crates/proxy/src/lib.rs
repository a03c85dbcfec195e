//! placeholder

pub mod telemetry;
pub mod tls;
