//! What has a name and lives through reloads.

pub mod keeper;
pub mod rate;
pub mod store;
