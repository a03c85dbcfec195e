//! HTTP: the protocols, and the one request and one body they meet in.

pub mod body;
pub mod broken;
pub mod forwarded;
pub mod h1;
pub mod h2;
pub mod host;
pub mod ids;
pub mod interim;
pub mod problem;
pub mod time_left;
mod trailers;

/// Room in a request's field map for what the gateway adds: five fields that say for whom it asks
/// ([`forwarded`]), and its names ([`ids`]).
pub const ADDED_FIELDS: usize = 8;
