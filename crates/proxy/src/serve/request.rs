//! The one loop of requests: what is done with each, over whatever protocol it came.
//!
//! A protocol makes a head and a body out of bytes, gives them to [`serve`] (or what it could not read to
//! [`refuse`]), and writes the response as a [`Reply`]. That is all that the protocols differ in.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue, Response, request};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use crate::call::{Call, Transaction};
use crate::client::Client;
use crate::http::body::Body;
use crate::http::interim::InterimSink;
use crate::http::partial_head::PartialHead;
use crate::stack;

/// Where the response to a request goes.
pub trait Reply {
    /// Where its interim responses go.
    fn interim(&self) -> InterimSink;

    /// Ready once the client has given the request up; polled while its response is awaited.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Send the response to its end and add the bytes of its body to `sent` as they go. Where it fails, the
    /// client was told that something is missing.
    ///
    /// The response is borrowed: handed over, it would have its place in each of the futures that it goes through.
    async fn send(&mut self, response: &mut Response<Body>, sent: &mut u64) -> Result<(), Failure>;
}

/// Serve a request: find its response, unless the client leaves before, and send it. Returns when it ended.
#[expect(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
pub fn serve<'a>(
    client: &'a Client,
    head: &'a mut request::Parts,
    body: &'a mut Body,
    upgrade: Option<&'a HeaderValue>,
    reply: &'a mut impl Reply,
) -> impl Future<Output = Instant> {
    async move {
        let snapshot = client.local.snapshot();
        let transaction = Transaction::begin(client, &snapshot, head);
        let interim = reply.interim();
        let found = {
            let mut call =
                Call::new(client, &snapshot, &transaction, head, body, upgrade, &interim);
            let mut answering = pin!(stack::answer(&mut call));
            poll_fn(|cx| match answering.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => reply.poll_gone(cx).map(|()| None),
            })
            .await
        };
        // Sending may take long, and needs nothing of them: a response that reads on in the body has it.
        drop(snapshot);
        head.headers = HeaderMap::new();
        *body = Body::Empty;
        // Moved, so that its place in the future is that of the call, which is over.
        let mut response = found;
        match &mut response {
            Some(response) => send(response, &transaction, reply).await,
            None => Instant::now(),
        }
    }
}

/// Answer what could not be read as a request, of which this much is known. Returns when that ended.
pub async fn refuse(
    client: &Client,
    failure: Failure,
    known: &PartialHead<'_>,
    reply: &mut impl Reply,
) -> Instant {
    let (mut response, transaction) = stack::refuse(client, failure, known);
    match failure {
        Failure::ClientGone => Instant::now(),
        _ => send(&mut response, &transaction, reply).await,
    }
}

/// Account for a request that its protocol has refused by itself.
pub fn refused(client: &Client, failure: Failure, known: &PartialHead<'_>) {
    let (_, transaction) = stack::refuse(client, failure, known);
    transaction.complete(Instant::now());
}

/// Send a response and settle the account of its request.
async fn send(
    response: &mut Response<Body>,
    transaction: &Transaction<'_>,
    reply: &mut impl Reply,
) -> Instant {
    let mut sent = Sent { transaction, bytes: 0 };
    let outcome = reply.send(response, &mut sent.bytes).await;
    drop(sent);
    let now = Instant::now();
    match outcome {
        Ok(()) => transaction.complete(now),
        Err(failure) => transaction.broken(failure, now),
    }
    now
}

/// Counts the bytes of a response's body that were sent, also where sending is given up.
struct Sent<'a> {
    transaction: &'a Transaction<'a>,
    bytes: u64,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        self.transaction.sent(self.bytes);
    }
}
