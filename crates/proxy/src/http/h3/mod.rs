//! HTTP/3 (RFC 9114), both sides: frames, field sections, and the bodies that streams carry, on `quinn`'s streams.

pub mod code;
pub mod duplex;
pub mod frame;
pub mod head;
pub mod incoming;
pub mod own_control;
pub mod peer_streams;
pub mod pump;
pub mod qpack;
pub mod receiving;
pub mod sending;
pub mod settings;
pub mod stream_type;
pub mod varint;
