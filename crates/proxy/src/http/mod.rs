//! HTTP: the protocols, and the one request and one body they meet in.

pub mod body;
pub mod broken;
pub mod duplex;
pub mod failures;
pub mod forwarded;
pub mod grpc_web;
pub mod h1;
pub mod h2;
pub mod h3;
pub mod ids;
pub mod interim;
pub mod last_words;
pub mod partial_head;
pub mod problem;
pub mod quota;
pub mod silence;
pub mod stopped;
pub mod time_left;
pub mod via;

/// Room in a request's field map for what the gateway adds: the five fields of
/// [`forwarded`] and the two of [`ids`], and one that a route may add without growing it.
pub const ADDED_FIELDS: usize = 8;
