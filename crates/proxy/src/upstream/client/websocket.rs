//! A WebSocket on a stream of a connection that many requests share: extended CONNECT (RFC 8441 §5, RFC 9220).

use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Method, StatusCode, request, response};
use tidegate_core::websocket::{WEBSOCKET, handshake, is_websocket};

/// Whether a request with this head asks for a WebSocket; it does so without content alone.
pub fn is_asked(head: &request::Parts, upgrade: Option<&HeaderValue>) -> bool {
    let protocol = upgrade.map(HeaderValue::as_bytes);
    head.method == Method::GET && protocol.is_some_and(is_websocket)
}

/// Whether a stream is to carry a WebSocket, whose end is then a `D`.
pub enum WebSocket<D> {
    /// It is not.
    Unasked,
    /// It was asked for; this is what is answered to the key that its request would have over HTTP/1, which goes no further.
    Asked(Option<HeaderValue>),
    /// It does, from the response on.
    Begun(D),
}

impl<D> WebSocket<D> {
    /// It is asked for by the request with this head.
    pub fn ask(head: &request::Parts) -> Self {
        Self::Asked(head.headers.get(SEC_WEBSOCKET_KEY).map(handshake::accept))
    }

    /// Whether it was asked for, and there is no response yet.
    pub fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(_))
    }

    /// The response has this head, which is brought into the form that the answer to an upgrade has. Returns whether the
    /// WebSocket begins.
    pub fn begins(&mut self, head: &mut response::Parts) -> bool {
        let Self::Asked(accept) = std::mem::replace(self, Self::Unasked) else { return false };
        if !head.status.is_success() {
            return false;
        }
        head.status = StatusCode::SWITCHING_PROTOCOLS;
        head.headers.insert(UPGRADE, WEBSOCKET.clone());
        head.headers.extend(accept.map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
        true
    }

    /// The end of the one that has begun.
    pub fn take(&mut self) -> Option<D> {
        match std::mem::replace(self, Self::Unasked) {
            Self::Begun(end) => Some(end),
            Self::Unasked | Self::Asked(_) => None,
        }
    }
}
