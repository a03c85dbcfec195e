//! A request and its response on one connection.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Method, Response, StatusCode, Version, request, response};
use tidegate_core::failure::Failure;
use tidegate_core::message::Malformed;
use tidegate_core::websocket::{handshake, is_websocket};
use tokio::time::Instant;

use super::connection::Connection;
use super::request_writer::RequestWriter;
use crate::http::body::{Body, NextFrame, Source};
use crate::http::broken::Broken;
use crate::http::duplex::Holding;
use crate::http::h1::duplex::Switched;
use crate::http::h1::framing::{Decoded, Decoder};
use crate::http::h1::response::{ResponseHead, read};
use crate::http::interim::Interims;
use crate::upstream::client::wait::Wait;
use crate::upstream::client::{Exchange, Outgoing, TryTimeouts, Waiter};
use crate::upstream::flight::Flight;
use crate::upstream::pool::Pool;

/// A request on its way, then its response.
pub struct H1Exchange {
    connection: Option<Box<Connection>>,
    pool: Rc<Pool>,
    flight: Flight,
    method: Method,
    request: RequestWriter,
    upgrade: Upgrade,
    scanned: usize,
    interims: Interims,
    decoder: Decoder,
    reusable: bool,
    heard: Instant,
    timeouts: TryTimeouts,
    wait: Wait,
}

/// Whether the connection is to carry another protocol.
enum Upgrade {
    Unasked,
    /// With what the endpoint has to answer to a key that was made here.
    Asked(Option<Box<HeaderValue>>),
    /// It does, from the response on.
    Done,
}

// Each request has one on the heap: beyond this it takes the allocator's next larger size.
const _: () = assert!(size_of::<H1Exchange>() <= 320);

impl H1Exchange {
    /// Begin to send a request. `pool` gets the connection back.
    pub fn start(
        mut connection: Box<Connection>,
        pool: Rc<Pool>,
        flight: Flight,
        request: Outgoing<'_>,
    ) -> Self {
        let timeouts = request.timeouts;
        let heard = flight.began();
        let wait = Wait::begin(&mut connection.deadline, heard, timeouts.response);
        Self {
            pool,
            flight,
            method: request.head.method.clone(),
            upgrade: match request.upgrade {
                Some(_) => Upgrade::Asked(accept_of(request.head)),
                None => Upgrade::Unasked,
            },
            request: RequestWriter::new(request, &mut connection),
            connection: Some(connection),
            scanned: 0,
            interims: Interims::default(),
            decoder: Decoder::Done,
            reusable: false,
            heard,
            timeouts,
            wait,
        }
    }

    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<response::Parts, Failure>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Err(Failure::Internal));
        };
        let sent = self.request.poll_send(connection, cx)?;
        if let Some(limit) = self.request.progress(self.timeouts) {
            self.wait.renew(Instant::now(), limit);
        }
        loop {
            let head = read(&mut connection.input, &mut self.scanned, &self.method);
            match head.map_err(Malformed::of_response)? {
                Some(head) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                    self.heard = Instant::now();
                    return Poll::Ready(self.switch(head, sent.is_ready()));
                }
                Some(head) if head.status.is_informational() => {
                    self.interims.pass(waiter.interim, head.status, head.headers)?;
                    continue;
                }
                Some(mut head) => {
                    self.heard = Instant::now();
                    self.flight.answered(head.status, self.heard);
                    self.flight.announced(head.control.alt_svc);
                    connection.deadline.set(self.heard, self.timeouts.idle);
                    self.decoder = std::mem::replace(&mut head.decoder, Decoder::Done);
                    self.reusable = head.reusable;
                    self.finish_if_done();
                    return Poll::Ready(Ok(parts(head)));
                }
                None => {}
            }
            match connection.poll_read_head(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Failure::UpstreamReset)),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    let over = ready!(self.wait.poll(&mut connection.deadline, waiter, cx));
                    return Poll::Ready(Err(match (over, sent) {
                        (Failure::ResponseTimeout, Poll::Pending) => Failure::UpstreamWriteTimeout,
                        (over, _) => over,
                    }));
                }
            }
        }
    }

    /// Status 101 came, which is legitimate only where it was asked for, by the whole request (RFC 9110 §7.8), and
    /// names the protocol.
    fn switch(
        &mut self,
        mut head: ResponseHead,
        is_sent: bool,
    ) -> Result<response::Parts, Failure> {
        let (Upgrade::Asked(accept), Some(protocol)) = (&self.upgrade, head.control.upgrade.take())
        else {
            return Err(Failure::UpstreamProtocol);
        };
        if !is_sent || !self.request.is_complete() {
            return Err(Failure::UpstreamProtocol);
        }
        if let Some(accept) = accept {
            let accepts = head.headers.get(SEC_WEBSOCKET_ACCEPT) == Some(&**accept);
            if !accepts || !is_websocket(protocol.as_bytes()) {
                return Err(Failure::UpstreamProtocol);
            }
        }
        self.flight.answered(head.status, self.heard);
        self.upgrade = Upgrade::Done;
        head.headers.insert(UPGRADE, protocol);
        Ok(parts(head))
    }

    fn fail(&mut self, failure: Failure) -> NextFrame {
        self.connection = None;
        self.decoder = Decoder::Done;
        self.flight.failed(failure);
        Poll::Ready(Some(Err(failure)))
    }

    /// Let go of the connection as soon as the response is complete.
    fn finish_if_done(&mut self) {
        if !self.decoder.is_done() {
            return;
        }
        self.flight.completed();
        if let Some(mut connection) = self.connection.take()
            && self.reusable
            && self.request.is_complete()
            && connection.input.is_empty()
        {
            connection.rest();
            self.pool.put(connection, self.heard);
        }
    }
}

impl Exchange for H1Exchange {
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<response::Parts, Broken>> {
        self.poll_response(cx, waiter).map_err(|failure| {
            self.flight.failed(failure);
            let gave_up =
                |idle: &Connection| idle.used && idle.input.is_empty() && !self.interims.came();
            let stale = failure == Failure::UpstreamReset
                && self.connection.as_deref().is_some_and(gave_up);
            Broken { failure, stale, refused: false }
        })
    }

    fn heard(&self) -> Instant {
        self.heard
    }

    fn into_body(mut self: Box<Self>) -> Body {
        match self.connection.take_if(|_| matches!(self.upgrade, Upgrade::Done)) {
            Some(connection) => {
                let Connection { input, io, slot, .. } = *connection;
                // It counts as a connection, and as a request in flight, until it is dropped.
                let held = (self.flight, slot);
                Body::Upgraded(Box::new(Holding::new(Switched::new(input, io), held)))
            }
            None => Body::Stream(self),
        }
    }
}

impl Source for H1Exchange {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        loop {
            let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
            if let Poll::Ready(Err(failure)) = self.request.poll_send(connection, cx) {
                return self.fail(failure);
            }
            if let Some(limit) = self.request.progress(self.timeouts) {
                connection.deadline.set(Instant::now(), limit);
            }
            match self.decoder.decode(&mut connection.input) {
                Ok(Decoded::Frame(mut frame)) => {
                    self.flight.received(&mut frame);
                    self.finish_if_done();
                    return Poll::Ready(Some(Ok(frame)));
                }
                Ok(Decoded::End) => {
                    self.finish_if_done();
                    return Poll::Ready(None);
                }
                Ok(Decoded::More) => {}
                Err(malformed) => return self.fail(malformed.of_response()),
            }
            match connection.poll_read_body(cx) {
                Poll::Ready(Ok(1..)) => {
                    self.heard = Instant::now();
                    connection.deadline.set(self.heard, self.timeouts.idle);
                }
                Poll::Ready(Ok(0)) if self.decoder.finish_at_eof() => self.finish_if_done(),
                Poll::Ready(_) => return self.fail(Failure::UpstreamReset),
                Poll::Pending => {
                    self.flight.waits();
                    ready!(connection.deadline.poll_expired(cx));
                    return self.fail(Failure::ResponseTimeout);
                }
            }
        }
    }

    fn is_end(&self) -> bool {
        self.decoder.is_done()
    }
}

/// What is to be answered to the key of a WebSocket, unless the client made it, which looks at the answer itself.
fn accept_of(head: &request::Parts) -> Option<Box<HeaderValue>> {
    let key = head.headers.get(SEC_WEBSOCKET_KEY).filter(|_| head.version > Version::HTTP_11);
    key.map(|key| Box::new(handshake::accept(key)))
}

/// What of a head goes on to the client.
fn parts(head: ResponseHead) -> response::Parts {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = head.status;
    parts.headers = head.headers;
    parts
}
