//! HTTP/2 (RFC 9113), both sides, on the `h2` crate's frames, streams and flow control.

mod duplex;
mod incoming;
pub mod pump;

pub use self::duplex::TunnelStream;
pub use self::incoming::Incoming;

/// Flow-control window of a stream: what a peer may send before it is read.
pub const STREAM_WINDOW: u32 = 256 * 1024;
/// Flow-control window of a connection.
pub const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Most of a stream's data that waits to be written.
pub const SEND_BUFFER: usize = 128 * 1024;
