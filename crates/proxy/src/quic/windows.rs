//! What a peer may send before it is read, and what waits to be sent; the same for clients and endpoints.

/// Streams of one direction that a peer may have: control, QPACK's two, and some that are not known.
pub const UNIDIRECTIONAL: u32 = 8;
/// Bytes of a stream.
pub const STREAM: u32 = 256 * 1024;
/// Bytes of all streams of a connection.
pub const CONNECTION: u32 = 1024 * 1024;
/// Most bytes of a connection that wait to be sent or acknowledged.
pub const SEND: u64 = 1024 * 1024;
