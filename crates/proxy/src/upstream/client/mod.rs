//! Sending one request to an endpoint and receiving its response: one [`Exchange`] per protocol.

mod arriving;
pub mod h1;
pub mod h2;
pub mod h3;
pub mod multiplexed;
mod progress;
mod pumped;
mod wait;
pub mod websocket;

use std::future::poll_fn;
use std::task::{Context, Poll};

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Response, StatusCode, request, response};
use tokio::time::Instant;

pub use self::wait::{TryTimeouts, Waiter};
use crate::http::body::{Body, Source};
use crate::http::broken::Broken;

/// Largest head that an endpoint may send, as RFC 9113 §6.5.2 and RFC 9114 §4.2.2 count it.
const MAX_HEAD: u32 = 64 * 1024;

/// A request as it is handed to the client of a protocol.
pub struct Outgoing<'a> {
    /// Its head.
    pub head: &'a request::Parts,
    /// Its content.
    pub body: Body,
    /// The protocol that it asks to switch to. On a stream that can be WebSocket alone.
    pub upgrade: Option<&'a HeaderValue>,
    /// How long the endpoint may take.
    pub timeouts: TryTimeouts,
}

impl Outgoing<'_> {
    /// Whether it asks for a WebSocket, which takes a stream as well as a connection.
    fn asks_for_websocket(&self) -> bool {
        websocket::is_asked(self.head, self.upgrade) && self.body.is_end()
    }
}

/// A request on its way, then its response: first its head, then, as a [`Source`], its content.
pub trait Exchange: Source {
    /// The response's head, for `waiter`.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<response::Parts, Broken>>;

    /// When the endpoint was last heard of.
    fn heard(&self) -> Instant;

    /// What follows the head.
    fn into_body(self: Box<Self>) -> Body;
}

/// Wait for the response of an exchange. Answers also when its head came.
///
/// # Errors
/// Why there is none.
pub async fn response(
    mut exchange: Box<dyn Exchange>,
    waiter: &Waiter<'_>,
) -> Result<(Response<Body>, Instant), Broken> {
    let mut head = poll_fn(|cx| exchange.poll_head(cx, waiter)).await?;
    if head.status == StatusCode::NO_CONTENT {
        // RFC 9110 §8.6: it would speak of content that cannot come.
        head.headers.remove(CONTENT_LENGTH);
    }
    let heard = exchange.heard();
    Ok((Response::from_parts(head, exchange.into_body()), heard))
}
