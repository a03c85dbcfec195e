//! HTTP/1.0 and HTTP/1.1 (RFC 9112), both sides.
//!
//! Strict in what it accepts: what RFC 9112 calls an error is one, because every
//! leniency is a way to smuggle a request past another parser. `httparse` reads the
//! fields; framing, connection options and everything of this version that two parsers could
//! read differently are decided here, and all else by [`tidegate_core::message`].

pub mod duplex;
pub mod encode;
mod fields;
pub mod framing;
pub mod output;
pub mod request;
pub mod request_line;
pub mod response;
mod target;
