//! A client's connection over HTTP/2: each stream is a task that serves one request.

mod refusals;
mod response;
mod translate;

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Version};
use tokio::task::spawn_local;
use tokio::time::timeout;

use self::refusals::{Refusals, Watched};
use self::response::ResponseSender;
use self::translate::translate;
use super::request;
use super::request_head::Rest;
use crate::client::Client;
use crate::http::h2::{CONNECTION_WINDOW, SEND_BUFFER, STREAM_WINDOW};
use crate::http::partial_head::PartialHead;
use crate::net::deadline::Deadline;
use crate::net::io::{Io, Prefixed};

/// Serve a connection until it ends. `input` was read already.
pub async fn serve(client: Rc<Client>, io: Io, input: BytesMut) {
    let limits = &client.settings.plan.limits;
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(limits.streams.get())
        .max_header_list_size(u32::try_from(limits.header_bytes.get()).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .enable_connect_protocol();
    let limit = client.settings.plan.timeouts.handshake.duration();
    let refusals = Rc::new(Refusals::default());
    let io = Watched::new(Prefixed::new(input, io), refusals.clone());
    let connection = match timeout(limit, builder.handshake(io)).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            refusals.end(&error);
            return account(&client, &refusals);
        }
        Err(_) => return,
    };
    let (deadline, draining) = (Deadline::default(), false);
    let mut streams = Streams { client: client.clone(), connection, refusals, deadline, draining };
    while let Some(accepted) = poll_fn(|cx| streams.poll_accept(cx)).await {
        // Boxed, because tokio moves a task's future about, and these are large.
        spawn_local(Box::pin(exchange(client.clone(), accepted)));
    }
}

/// Serve one request.
async fn exchange(client: Rc<Client>, (request, respond): Accepted) {
    let send_half = Rc::new(RefCell::new(respond));
    let (mut head, stream) = request.into_parts();
    let mut reply = ResponseSender::new(&client, send_half.clone(), head.method.clone());
    match translate(&client, &mut head, stream, &send_half) {
        Ok(Rest { mut content, upgrade, incoming }) => {
            reply.may_switch(incoming);
            request::serve(&client, &mut head, &mut content, upgrade, &mut reply).await
        }
        Err(failure) => {
            let known = PartialHead::from(&head);
            request::refuse(&client, failure, &known, &mut reply).await
        }
    };
}

type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// Account for what was refused before it could be handed on.
fn account(client: &Rc<Client>, refusals: &Refusals) {
    let known = PartialHead { version: Some(Version::HTTP_2), ..PartialHead::default() };
    for failure in refusals.take() {
        request::refused(client, failure, &known);
    }
}

/// The streams that a client opens on a connection.
struct Streams {
    client: Rc<Client>,
    connection: Connection<Watched<Prefixed<Io>>, Bytes>,
    refusals: Rc<Refusals>,
    /// When a connection without requests is closed.
    deadline: Deadline,
    draining: bool,
}

impl Streams {
    /// The next request; nothing once the connection is closed, broken, or was idle too long.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Accepted>> {
        loop {
            if let Poll::Ready(accepted) = self.poll_connection(cx) {
                self.deadline.clear();
                if accepted.is_none() {
                    account(&self.client, &self.refusals);
                }
                return Poll::Ready(accepted);
            }
            // Only now is it known which streams are not handed on.
            account(&self.client, &self.refusals);
            if self.client.poll_draining(cx) && !self.draining {
                self.draining = true;
                self.connection.graceful_shutdown();
                continue;
            }
            if self.connection.has_streams() {
                self.deadline.clear();
                return Poll::Pending;
            }
            self.deadline.ensure(self.client.settings.plan.timeouts.idle.duration());
            ready!(self.deadline.poll_expired(cx));
            self.deadline.clear();
            if self.draining {
                return Poll::Ready(None);
            }
            self.draining = true;
            // Nothing is under way that two steps would save.
            self.connection.abrupt_shutdown(Reason::NO_ERROR);
        }
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Option<Accepted>> {
        loop {
            match ready!(self.connection.poll_accept(cx)) {
                Some(Ok(accepted)) => {
                    let stream = accepted.1.stream_id().as_u32();
                    let Some(failure) = self.refusals.hand_on(stream) else {
                        return Poll::Ready(Some(accepted));
                    };
                    let (head, _) = accepted.0.into_parts();
                    request::refused(&self.client, failure, &PartialHead::from(&head));
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "HTTP/2 connection ended");
                    self.refusals.end(&error);
                    return Poll::Ready(None);
                }
                None => return Poll::Ready(None),
            }
        }
    }
}
