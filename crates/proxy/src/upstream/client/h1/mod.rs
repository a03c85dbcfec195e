//! The client of HTTP/1.
//!
//! There is no task behind a connection: the request's own task drives it, first
//! while it waits for the head, then whenever the response's body is read. What
//! is left of the request is sent on the way.

mod connection;
mod exchange;
mod request_writer;

pub use self::connection::Connection;
pub use self::exchange::H1Exchange;
