//! What has a name and lives through reloads.

pub mod geoip;
pub mod keeper;
pub mod rate;
