//! The client of HTTP/3.
//!
//! A connection carries many requests; a task of its own reads what the endpoint says beside its responses.

mod connection;
mod departure;
mod exchange;

pub use self::connection::Connection;
pub use self::exchange::H3Exchange;
