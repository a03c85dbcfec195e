//! The client of HTTP/2.
//!
//! A connection carries many requests, and a task of its own drives it.

mod connection;
mod exchange;

pub use self::connection::Connection;
pub use self::exchange::H2Exchange;
