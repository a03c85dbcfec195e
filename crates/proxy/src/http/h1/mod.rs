//! HTTP/1.0 and HTTP/1.1 (RFC 9112), both sides.
//!
//! Strict in what it accepts: what RFC 9112 calls an error is one, because every
//! leniency is a way to smuggle a request past another parser. `httparse` reads the
//! fields; framing, connection options and everything that two parsers could
//! read differently are decided here.

pub mod encode;
mod fields;
pub mod framing;
pub mod output;
pub mod request;
pub mod request_line;
pub mod response;
mod target;

pub use request::HeadLimits;

/// What the bytes break; the reader knows whose fault that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A rule of RFC 9112.
    Syntax,
    /// The limit on the target's length.
    UriTooLong,
    /// The limit on the head's size or number of fields.
    HeaderTooLarge,
    /// The major version is not 1.
    Version,
    /// A transfer coding other than chunked (RFC 9112 §6.1 asks for 501).
    TransferCoding,
    /// An expectation other than `100-continue`.
    Expectation,
}
