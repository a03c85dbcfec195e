//! A client's connection over HTTP/2: each stream is a task that serves one request.

mod response;
mod translate;

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};

use self::response::ResponseSender;
use self::translate::translate;
use super::request;
use crate::client::Client;
use crate::http::h2::{CONNECTION_WINDOW, SEND_BUFFER, STREAM_WINDOW};
use crate::net::deadline::Deadline;
use crate::net::io::{Io, Prefixed};

/// Serve a connection until it ends. `input` was read already.
pub async fn serve(client: Rc<Client>, io: Io, input: BytesMut) {
    let limits = &client.settings.plan.limits;
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes.0).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    let limit = client.settings.plan.timeouts.handshake.duration();
    let handshake = builder.handshake(Prefixed::new(input, io));
    let Ok(Ok(mut connection)) = timeout(limit, handshake).await else { return };
    let mut deadline = Deadline::default();
    let mut draining = false;
    while let Some(accepted) = accept(&client, &mut connection, &mut deadline, &mut draining).await
    {
        // Boxed, because tokio moves a task's future about, and these are large.
        spawn_local(Box::pin(exchange(client.clone(), accepted)));
    }
}

/// Serve one request.
async fn exchange(client: Rc<Client>, (request, respond): Accepted) {
    let stream = Rc::new(RefCell::new(respond));
    let mut reply = ResponseSender::new(&client, stream.clone(), request.method().clone());
    match translate(&client, request, &stream) {
        Ok((mut head, mut body)) => {
            request::serve(&client, &mut head, &mut body, None, &mut reply).await
        }
        Err(failure) => request::refuse(&client, failure, &mut reply).await,
    };
}

type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// The next request; nothing once the connection is closed, broken, or was idle too long.
async fn accept(
    client: &Client,
    connection: &mut Connection<Prefixed<Io>, Bytes>,
    deadline: &mut Deadline,
    draining: &mut bool,
) -> Option<Accepted> {
    poll_fn(|cx| {
        loop {
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok(accepted))) => {
                    deadline.clear();
                    return Poll::Ready(Some(accepted));
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(%error, "HTTP/2 connection ended");
                    return Poll::Ready(None);
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {}
            }
            let drains = client.poll_draining(cx);
            if drains && !*draining {
                *draining = true;
                connection.graceful_shutdown();
                continue;
            }
            if connection.has_streams() {
                deadline.clear();
                return Poll::Pending;
            }
            if !deadline.is_set() {
                deadline.set(Instant::now(), client.settings.plan.timeouts.idle.duration());
            }
            ready!(deadline.poll_expired(cx));
            deadline.clear();
            if *draining {
                return Poll::Ready(None);
            }
            *draining = true;
            // Nothing is under way that two steps would save.
            connection.abrupt_shutdown(Reason::NO_ERROR);
        }
    })
    .await
}
