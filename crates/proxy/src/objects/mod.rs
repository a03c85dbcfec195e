//! What has a name and lives through reloads.

pub mod keeper;
