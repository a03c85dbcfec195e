//! A client's connection over HTTP/2: each stream is a task that answers one request.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, COOKIE, DATE, EXPECT, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use tidegate_core::failure::Failure;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};

use crate::call::{Call, Transaction};
use crate::client::Client;
use crate::http::ADDED_FIELDS;
use crate::http::body::Body;
use crate::http::h2::pump::{Pump, Stopped};
use crate::http::h2::{CONNECTION_WINDOW, Incoming, SEND_BUFFER, STREAM_WINDOW};
use crate::http::host::is_host;
use crate::http::interim::{Interim, InterimSink};
use crate::net::deadline::Deadline;
use crate::net::io::{Io, Prefixed};
use crate::stack;

/// Serve a connection until it ends. `input` was read already.
pub async fn serve(client: Rc<Client>, io: Io, input: BytesMut) {
    let limits = &client.settings.plan.limits;
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(limits.streams.get())
        .max_header_list_size(u32::try_from(limits.header_bytes.get()).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    let limit = client.settings.plan.timeouts.handshake.duration();
    let handshake = builder.handshake(Prefixed::new(input, io));
    let Ok(Ok(mut connection)) = timeout(limit, handshake).await else { return };
    let mut deadline = Deadline::default();
    let mut draining = false;
    while let Some((request, respond)) =
        accept(&client, &mut connection, &mut deadline, &mut draining).await
    {
        let (client, method) = (client.clone(), request.method().clone());
        let respond = Rc::new(RefCell::new(respond));
        // Boxed, because tokio moves a task's future about, and these are large.
        match translate(&client, request, &respond) {
            Ok((mut head, mut body)) => spawn_local(Box::pin(async move {
                exchange(&client, &mut head, &mut body, &respond).await;
            })),
            Err(failure) => spawn_local(Box::pin(refuse(client, method, respond, failure))),
        };
    }
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

/// A client's stream as interim and final responses are sent on it.
type Respond = RefCell<SendResponse<Bytes>>;

impl Interim for Respond {
    fn send(&self, status: StatusCode, headers: HeaderMap) {
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Err(error) = self.borrow_mut().send_informational(response) {
            tracing::debug!(%error, "an interim response was not sent");
        }
    }
}

/// Answer one request.
async fn exchange(
    client: &Rc<Client>,
    head: &mut request::Parts,
    body: &mut Body,
    respond: &Rc<Respond>,
) {
    let snapshot = client.local.snapshot();
    let transaction = Transaction::begin(client, &snapshot, head);
    let answered = {
        let interim: InterimSink = Some(respond.clone());
        let mut call = Call::new(client, &snapshot, &transaction, head, body, None, &interim);
        let mut answering = pin!(stack::answer(&mut call));
        poll_fn(|cx| match answering.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            // The client took its request back.
            Poll::Pending => respond.borrow_mut().poll_reset(cx).map(|_| None),
        })
        .await
    };
    // The answer may take long, and needs nothing of them.
    drop(snapshot);
    head.headers = HeaderMap::new();
    if let Some(response) = answered {
        send(client, &head.method, respond, response, &transaction).await;
    }
}

/// Answer what is no good request.
async fn refuse(client: Rc<Client>, method: Method, respond: Rc<Respond>, failure: Failure) {
    let (response, transaction) = stack::refuse(&client, failure);
    send(&client, &method, &respond, response, &transaction).await;
}

/// Send an answer.
async fn send(
    client: &Client,
    method: &Method,
    respond: &Respond,
    response: Response<Body>,
    transaction: &Transaction<'_>,
) {
    let mut pump = match send_head(client, method, respond, response) {
        Ok(Some(pump)) => pump,
        Ok(None) => return transaction.complete(Instant::now()),
        Err(failure) => return transaction.broken(failure, Instant::now()),
    };
    let pumped = poll_fn(|cx| pump.poll(cx)).await;
    transaction.sent(pump.sent);
    let now = Instant::now();
    match pumped {
        Ok(()) => transaction.complete(now),
        Err(Stopped::Peer) => transaction.broken(Failure::ClientGone, now),
        Err(Stopped::Stalled) => {
            pump.reset(Reason::CANCEL);
            transaction.broken(Failure::ClientGone, now);
        }
        Err(Stopped::Source(failure)) => {
            pump.reset(Reason::INTERNAL_ERROR);
            transaction.broken(failure, now);
        }
    }
}

/// Send the head of an answer. Returns what sends its body, if it has one.
fn send_head(
    client: &Client,
    method: &Method,
    respond: &Respond,
    response: Response<Body>,
) -> Result<Option<Pump>, Failure> {
    let (mut head, body) = response.into_parts();
    if !head.headers.contains_key(DATE) {
        head.headers.insert(DATE, client.local.date());
    }
    let bodiless = method == Method::HEAD
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || body.is_end();
    if bodiless && method != Method::HEAD && head.status == StatusCode::OK {
        head.headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
    }
    head.version = http::Version::HTTP_2;
    let response = Response::from_parts(head, ());
    let stream =
        respond.borrow_mut().send_response(response, bodiless).map_err(|_| Failure::ClientGone)?;
    let patience = client.settings.plan.timeouts.write.duration();
    Ok((!bodiless).then(|| Pump::new(stream, body, patience)))
}

/// The request as the stack reads it: `:authority` becomes `Host` (RFC 9113 §8.3.1), the limits that
/// frames alone do not enforce are checked.
fn translate(
    client: &Client,
    request: Request<RecvStream>,
    respond: &Respond,
) -> Result<(request::Parts, Body), Failure> {
    let (mut head, stream) = request.into_parts();
    let limits = client.settings.head_limits;
    if head.headers.len() > limits.fields {
        return Err(Failure::HeaderTooLarge);
    }
    head.headers.reserve(ADDED_FIELDS);
    let target = head.uri.path_and_query().cloned();
    if target.as_ref().is_some_and(|target| target.as_str().len() > limits.target) {
        return Err(Failure::UriTooLong);
    }
    let authority = head.uri.authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if head.headers.get_all(HOST).iter().count() > 1 {
        return Err(Failure::MalformedRequest);
    }
    match (authority, head.headers.get(HOST)) {
        (Some(Ok(authority)), Some(host)) if host != authority => {
            return Err(Failure::MalformedRequest);
        }
        (Some(Ok(authority)), _) => _ = head.headers.insert(HOST, authority),
        (None, Some(_)) => {}
        _ => return Err(Failure::MalformedRequest),
    }
    if !head.headers.get(HOST).is_some_and(|host| is_host(host.as_bytes())) {
        return Err(Failure::MalformedRequest);
    }
    if let Some(target) = target {
        // RFC 9113 §8.3.1. `http` calls the path of a query alone "/", but writes it as it came.
        let of_server = target == "*" && head.method == Method::OPTIONS;
        if !of_server && !target.as_str().starts_with('/') {
            return Err(Failure::MalformedRequest);
        }
        head.uri = target.into();
    }
    join_cookies(&mut head.headers);
    let expects = head.headers.remove(EXPECT);
    match expects {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            return Err(Failure::ExpectationFailed);
        }
        Some(_) if !stream.is_end_stream() => respond.send(StatusCode::CONTINUE, HeaderMap::new()),
        _ => {}
    }
    let body = match stream.is_end_stream() {
        true => Body::Empty,
        false => {
            let idle = client.settings.plan.timeouts.request_body.duration();
            let (late, gone) = (Failure::BodyTimeout, Failure::ClientGone);
            Body::stream(Incoming::new(stream, idle, late, gone))
        }
    };
    Ok((head, body))
}

/// HTTP/2 may send a cookie's pairs in fields of their own; elsewhere they belong into one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}
