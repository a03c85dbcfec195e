//! QUIC (RFC 9000): what a listener's connections over UDP are served by, on `quinn`.
//!
//! Each worker has a socket and an endpoint of its own, whose tasks run on the worker: a connection never leaves it.

mod keys;
mod server;
mod steering;

pub use self::server::{ServerQuic, endpoint};
