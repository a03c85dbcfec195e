//! What has a name and lives through reloads.

pub mod auth;
pub mod cache;
pub mod geoip;
pub mod keeper;
pub mod random;
pub mod rate;
pub mod store;
pub mod under_way;
