//! An exchange with an endpoint over HTTP/2.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use http::header::{HOST, HeaderMap};
use http::uri::{Authority, Scheme, Uri};
use http::{Request, StatusCode, Version, request};
use tidegate_core::failure::Failure;
use tokio::time::{Instant, timeout};

use crate::http::body::{Body, NextFrame};
use crate::http::broken::Broken;
use crate::http::h2::pump::{Pump, Stopped};
use crate::http::h2::{CONNECTION_WINDOW, Incoming, SEND_BUFFER, STREAM_WINDOW};
use crate::http::interim::Interims;
use crate::http::wait::{Patience, Wait, Waiter};
use crate::net::deadline::Deadline;
use crate::upstream::connect::Opened;
use crate::upstream::flight::Flight;

/// Largest head that an endpoint may send.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// A connection that carries many requests.
pub struct Session {
    sender: SendRequest<Bytes>,
    opened: Instant,
    streams: Cell<usize>,
    last_used: Cell<Instant>,
    /// When the head of a response last came.
    heard: Cell<Instant>,
    closed: Cell<bool>,
}

impl Session {
    /// Begin to speak HTTP/2 on a connection; a task of its own drives it until it closes.
    pub async fn begin(opened: Opened, limit: Duration) -> Result<Rc<Self>, Failure> {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER_LIST)
            .max_send_buffer_size(SEND_BUFFER)
            .enable_push(false);
        let (sender, connection) = timeout(limit, builder.handshake(opened.io))
            .await
            .map_err(|_| Failure::ConnectTimeout)?
            .map_err(|_| Failure::UpstreamProtocol)?;
        let now = Instant::now();
        let session = Rc::new(Self {
            sender,
            opened: now,
            streams: Cell::new(0),
            last_used: Cell::new(now),
            heard: Cell::new(now),
            closed: Cell::new(false),
        });
        let watched = Rc::downgrade(&session);
        let slot = opened.slot;
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "HTTP/2 connection to an endpoint ended");
            }
            if let Some(session) = watched.upgrade() {
                session.closed.set(true);
            }
            drop(slot);
        });
        Ok(session)
    }

    /// Whether another request may be sent on it.
    pub fn takes_streams(&self, now: Instant, max_age: Duration) -> bool {
        !self.closed.get()
            && self.age(now) < max_age
            && self.streams.get() < self.sender.current_max_send_streams()
    }

    /// Time since it was opened.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.opened)
    }

    /// Time since its last request ended; absent while there is one.
    pub fn idle_for(&self, now: Instant) -> Option<Duration> {
        let idle = self.streams.get() == 0;
        idle.then(|| now.saturating_duration_since(self.last_used.get()))
    }

    /// A request sent at `began` waited in vain. If no other was answered since, the connection itself may be
    /// dead, which TCP can take a quarter of an hour to notice: nothing more is sent on it.
    fn waited_in_vain(&self, began: Instant) {
        if self.heard.get() <= began {
            self.closed.set(true);
        }
    }

    /// Whether it has ended, or is not to be used again.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }
}

/// One of a session's streams, counted until dropped.
struct Stream(Rc<Session>);

impl Stream {
    fn new(session: Rc<Session>) -> Self {
        session.streams.set(session.streams.get() + 1);
        Self(session)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.last_used.set(Instant::now());
    }
}

/// A request on its way, then its response.
pub struct Exchange {
    response: Option<ResponseFuture>,
    incoming: Option<Incoming>,
    pump: Option<Pump>,
    interims: Interims,
    deadline: Deadline,
    patience: Patience,
    wait: Wait,
    heard: Instant,
    flight: Flight,
    stream: Stream,
}

impl Exchange {
    /// Begin to send a request.
    pub fn start(
        session: Rc<Session>,
        flight: Flight,
        head: &request::Parts,
        body: Body,
        tls: bool,
        patience: Patience,
    ) -> Self {
        let ends = body.is_end();
        let sent = session.sender.clone().send_request(translate(head, tls), ends);
        let mut deadline = Deadline::default();
        let heard = flight.began();
        let wait = Wait::begin(&mut deadline, heard, patience.response);
        let (response, pump) = match sent {
            Ok((response, _)) if ends => (Some(response), None),
            Ok((response, stream)) => {
                (Some(response), Some(Pump::new(stream, body, patience.idle)))
            }
            Err(_) => {
                session.closed.set(true);
                (None, None)
            }
        };
        let stream = Stream::new(session);
        Self {
            response,
            incoming: None,
            pump,
            interims: Interims::default(),
            deadline,
            patience,
            wait,
            heard,
            flight,
            stream,
        }
    }

    /// The response's head, for `waiter`.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<(StatusCode, HeaderMap), Broken>> {
        let Some(response) = &mut self.response else {
            return Poll::Ready(Err(Broken {
                failure: Failure::UpstreamReset,
                stale: true,
                refused: true,
            }));
        };
        if let Poll::Ready(Err(Stopped::Source(failure))) = poll_pump(&mut self.pump, cx) {
            return Poll::Ready(Err(self.broken(failure, false)));
        }
        while let Poll::Ready(Some(Ok(head))) = response.poll_informational(cx) {
            let (head, ()) = head.into_parts();
            if let Err(failure) = self.interims.pass(waiter.interim, head.status, head.headers) {
                return Poll::Ready(Err(self.broken(failure, false)));
            }
        }
        let answered = match std::pin::Pin::new(response).poll(cx) {
            Poll::Ready(answered) => answered,
            Poll::Pending => {
                let over = ready!(self.wait.poll(&mut self.deadline, waiter, cx));
                self.stream.0.waited_in_vain(self.flight.began());
                return Poll::Ready(Err(self.broken(over, false)));
            }
        };
        Poll::Ready(match answered {
            Ok(response) => {
                let (head, stream) = response.into_parts();
                let late = Failure::ResponseTimeout;
                self.incoming = Some(Incoming::new(stream, self.patience.idle, late));
                self.heard = Instant::now();
                self.stream.0.heard.set(self.heard);
                self.flight.answered(head.status, self.heard);
                self.finish_if_done();
                Ok((head.status, head.headers))
            }
            Err(error) => {
                // A GOAWAY of the endpoint ends only the streams that it did not look at. One of our own,
                // because it broke the protocol, says nothing about what became of the request.
                let refused = error.is_remote()
                    && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
                let failure = match error.is_library() && !error.is_io() {
                    true => Failure::UpstreamProtocol,
                    false => Failure::UpstreamReset,
                };
                Err(self.broken(failure, refused))
            }
        })
    }

    /// When the head of the response came.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// The next piece of the response's body.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        if let Poll::Ready(Err(Stopped::Source(failure))) = poll_pump(&mut self.pump, cx) {
            self.incoming = None;
            return Poll::Ready(Some(Err(failure)));
        }
        let mut frame = ready!(incoming.poll_frame(cx, Failure::UpstreamReset));
        match &mut frame {
            Some(Err(failure)) => {
                self.flight.failed(*failure);
                self.incoming = None;
            }
            Some(Ok(frame)) => {
                self.flight.received(frame);
                self.finish_if_done();
            }
            None => self.finish_if_done(),
        }
        Poll::Ready(frame)
    }

    /// Whether the response's body is complete.
    pub fn is_end(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end)
    }

    fn finish_if_done(&mut self) {
        if self.is_end() {
            self.flight.completed();
        }
    }

    fn broken(&mut self, failure: Failure, refused: bool) -> Broken {
        self.flight.failed(failure);
        Broken { failure, stale: refused, refused }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let complete = self.is_end();
        if let Some(pump) = self.pump.as_mut().filter(|_| !complete) {
            pump.reset(Reason::CANCEL);
        }
    }
}

/// Send on; a pump that is done is dropped.
fn poll_pump(pump: &mut Option<Pump>, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
    let Some(running) = pump else { return Poll::Ready(Ok(())) };
    let polled = running.poll(cx);
    if polled == Poll::Ready(Ok(())) {
        *pump = None;
    }
    polled
}

/// The request as HTTP/2 writes it: `Host` becomes `:authority` (RFC 9113 §8.3.1).
fn translate(head: &request::Parts, tls: bool) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = head.headers.clone();
    let host = request.headers_mut().remove(HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = http::uri::Parts::default();
    parts.scheme = authority.as_ref().map(|_| if tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = authority;
    parts.path_and_query = head.uri.path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_else(|_| head.uri.clone());
    request
}
