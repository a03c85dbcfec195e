//! WebSocket (RFC 6455), as far as a gateway has to know it: its handshake, and where its frames end.

pub mod frames;
pub mod handshake;

use http::HeaderValue;

/// What it is called where a protocol is asked for: in `Upgrade`, and in `:protocol` (RFC 8441 §5).
pub static WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Whether `protocol` is WebSocket.
pub fn is_websocket(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(WEBSOCKET.as_bytes())
}
