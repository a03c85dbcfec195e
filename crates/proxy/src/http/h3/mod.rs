//! HTTP/3 (RFC 9114), both sides: frames, field sections and what streams carry. It knows bytes alone; what brings
//! them is a QUIC connection.

pub mod code;
pub mod frame;
pub mod head;
pub mod qpack;
pub mod settings;
pub mod stream_type;
mod varint;
