//! Field sections as HTTP/3 writes them: QPACK (RFC 9204), with the static table alone.
//!
//! Neither side gets a dynamic table: ours to decode is announced with a capacity of 0, so nothing of a connection is kept
//! between its requests, and no stream waits for another.

mod decode;
mod encode;
mod huffman;
mod integer;
mod static_table;

pub use self::decode::{Line, OVERHEAD, Unreadable, decode};
pub use self::encode::Encoder;
pub use self::static_table::Name;
