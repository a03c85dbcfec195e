//! An exchange with an endpoint over HTTP/1.
//!
//! There is no task behind a connection: the request's own task drives it, first
//! while it waits for the head, then whenever the response's body is read. What
//! is left of the request is sent on the way.

use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderValue, Method, StatusCode, request};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use crate::http::body::{Body, Frame, NextFrame};
use crate::http::broken::Broken;
use crate::http::h1::Malformed;
use crate::http::h1::encode;
use crate::http::h1::framing::{Decoded, Decoder, Encoder};
use crate::http::h1::output::Output;
use crate::http::h1::response::{self, ResponseHead};
use crate::http::interim::Interims;
use crate::http::wait::{Patience, Wait, Waiter};
use crate::net::deadline::Deadline;
use crate::net::io::Io;
use crate::upstream::flight::Flight;
use crate::upstream::pool::{ConnectionSlot, Pool};

/// First size of a read of a body; doubled while reads fill it.
const FIRST_READ: usize = 16 * 1024;
/// Largest size of a read.
const LARGEST_READ: usize = 256 * 1024;

/// A connection to an endpoint.
pub struct Connection {
    /// The stream.
    pub io: Io,
    /// When it was opened.
    pub opened: Instant,
    input: BytesMut,
    output: Output,
    deadline: Deadline,
    read_size: usize,
    used: bool,
    _slot: ConnectionSlot,
}

impl Connection {
    /// A connection that was just opened.
    pub fn new(io: Io, opened: Instant, slot: ConnectionSlot) -> Self {
        Self {
            io,
            opened,
            input: BytesMut::new(),
            output: Output::default(),
            deadline: Deadline::default(),
            read_size: FIRST_READ,
            used: false,
            _slot: slot,
        }
    }

    /// Whether the endpoint left this unused connection alone: neither closed it nor sent anything.
    pub fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        self.io.poll_read_through(cx, &mut self.input).is_pending()
    }

    /// Read some of a head, and most often the whole of a small response.
    fn poll_read_head(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        self.io.poll_read_through(cx, &mut self.input)
    }

    /// Read some of a body into where it will be written from.
    fn poll_read_body(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        self.input.reserve(self.read_size);
        let room = self.input.capacity() - self.input.len();
        let count = ready!(self.io.poll_read_buf(cx, &mut self.input))?;
        if count == room && self.read_size < LARGEST_READ {
            self.read_size *= 2;
        }
        Poll::Ready(Ok(count))
    }
}

/// A request on its way, then its response.
pub struct Exchange {
    connection: Option<Box<Connection>>,
    pool: Rc<Pool>,
    flight: Flight,
    method: Method,
    request: Sending,
    scanned: usize,
    interims: Interims,
    decoder: Decoder,
    reusable: bool,
    heard: Instant,
    patience: Patience,
    wait: Wait,
}

/// How far the request has been sent.
struct Sending {
    body: Body,
    encoder: Encoder,
    done: bool,
    /// Whether anything was taken from the body.
    touched: bool,
    /// Whether more of it was written since somebody asked.
    progressed: bool,
    failed: bool,
}

impl Exchange {
    /// Begin to send a request.
    pub fn start(
        mut connection: Box<Connection>,
        pool: Rc<Pool>,
        flight: Flight,
        head: &request::Parts,
        body: Body,
        upgrade: Option<&HeaderValue>,
        patience: Patience,
    ) -> Self {
        let encoder = encode::request(head, &body, upgrade, connection.output.buffer());
        let heard = flight.began();
        let wait = Wait::begin(&mut connection.deadline, heard, patience.response);
        let request = Sending {
            body,
            encoder,
            done: false,
            touched: false,
            progressed: false,
            failed: false,
        };
        Self {
            connection: Some(connection),
            pool,
            flight,
            method: head.method.clone(),
            request,
            scanned: 0,
            interims: Interims::default(),
            decoder: Decoder::Done,
            reusable: false,
            heard,
            patience,
            wait,
        }
    }

    /// The response's head, for `waiter`.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<ResponseHead, Broken>> {
        match self.poll_head_inner(cx, waiter) {
            Poll::Ready(Err(failure)) => {
                self.flight.failed(failure);
                let untouched = self
                    .connection
                    .as_ref()
                    .is_some_and(|connection| connection.used && connection.input.is_empty());
                Poll::Ready(Err(Broken {
                    failure,
                    stale: failure == Failure::UpstreamReset && untouched,
                    refused: false,
                }))
            }
            Poll::Ready(Ok(head)) => Poll::Ready(Ok(head)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_head_inner(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<ResponseHead, Failure>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Err(Failure::Internal));
        };
        let sent = self.request.poll_send(connection, cx)?;
        if let Some(limit) = self.request.progress(self.patience) {
            self.wait = Wait::begin(&mut connection.deadline, Instant::now(), limit);
        }
        loop {
            let head = response::read(&mut connection.input, &mut self.scanned, &self.method);
            match head.map_err(upstream_failure)? {
                Some(head) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                    self.heard = Instant::now();
                    return Poll::Ready(Ok(head));
                }
                Some(head) if head.status.is_informational() => {
                    self.interims.pass(waiter.interim, head.status, head.headers)?;
                    continue;
                }
                Some(mut head) => {
                    self.heard = Instant::now();
                    self.flight.answered(head.status, self.heard);
                    connection.deadline.set(self.heard, self.patience.idle);
                    self.decoder = std::mem::replace(&mut head.decoder, Decoder::Done);
                    self.reusable = head.reusable;
                    self.finish_if_done();
                    return Poll::Ready(Ok(head));
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

    /// When the endpoint last sent something.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// The next piece of the response's body.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        loop {
            let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
            if let Poll::Ready(Err(failure)) = self.request.poll_send(connection, cx) {
                return self.fail(failure);
            }
            if let Some(limit) = self.request.progress(self.patience) {
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
                Err(malformed) => return self.fail(upstream_failure(malformed)),
            }
            match connection.poll_read_body(cx) {
                Poll::Ready(Ok(1..)) => {
                    self.heard = Instant::now();
                    connection.deadline.set(self.heard, self.patience.idle);
                }
                Poll::Ready(Ok(0)) if self.decoder.finish_at_eof() => self.finish_if_done(),
                Poll::Ready(_) => return self.fail(Failure::UpstreamReset),
                Poll::Pending => {
                    ready!(connection.deadline.poll_expired(cx));
                    return self.fail(Failure::ResponseTimeout);
                }
            }
        }
    }

    /// Whether the response's body is complete.
    pub fn is_end(&self) -> bool {
        self.decoder.is_done()
    }

    /// Take the connection out for another protocol, after status 101.
    pub fn into_upgraded(self) -> Option<Upgraded> {
        let connection = self.connection?;
        let idle = self.patience.idle;
        Some(Upgraded { early: connection.input, io: connection.io, idle, _flight: self.flight })
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
            && self.request.done
            && !self.request.failed
            && connection.input.is_empty()
        {
            connection.used = true;
            connection.input = BytesMut::new();
            connection.output.shrink();
            self.pool.put(connection, self.heard);
        }
    }
}

impl Sending {
    /// Send what can be sent; ready once all of it is. A connection that takes no more is no
    /// failure yet: the endpoint may have answered before it closed.
    fn poll_send(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
        while !self.done {
            let mut waiting = false;
            while !self.done && !waiting && connection.output.takes_more() {
                match self.body_frame(cx) {
                    Poll::Ready(Some(frame)) => self.encode(Some(frame?), connection)?,
                    Poll::Ready(None) => self.encode(None, connection)?,
                    Poll::Pending => waiting = true,
                }
            }
            match connection.output.poll_write(&mut connection.io, cx) {
                Poll::Ready(Ok(())) => self.progressed = self.touched,
                Poll::Ready(Err(_)) => {
                    self.failed = true;
                    self.done = true;
                }
                Poll::Pending => {
                    // The rest is written when there is room; until then the request is not done.
                    return Poll::Pending;
                }
            }
            if waiting {
                return Poll::Pending;
            }
        }
        if !connection.output.is_empty() && !self.failed {
            match ready!(connection.output.poll_write(&mut connection.io, cx)) {
                Ok(()) => {}
                Err(_) => self.failed = true,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// How long the endpoint may take from now on, if more was written since this was last asked.
    fn progress(&mut self, patience: Patience) -> Option<Duration> {
        let limit = if self.done { patience.response } else { patience.idle };
        std::mem::take(&mut self.progressed).then_some(limit)
    }

    fn body_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if self.encoder == Encoder::None && self.body.is_end() {
            return Poll::Ready(None);
        }
        let frame = ready!(self.body.poll_frame(cx));
        self.touched |= frame.is_some();
        Poll::Ready(frame)
    }

    fn encode(&mut self, frame: Option<Frame>, connection: &mut Connection) -> Result<(), Failure> {
        let output = &mut connection.output;
        let encoded = match frame {
            Some(Frame::Data(data)) => self.encoder.data(data, output),
            Some(Frame::Trailers(trailers)) => {
                self.done = true;
                self.encoder.end(Some(&trailers), output)
            }
            None => {
                self.done = true;
                self.encoder.end(None, output)
            }
        };
        // A client whose body does not have the length it announced.
        encoded.map_err(|_| Failure::MalformedRequest)
    }
}

/// A connection that speaks another protocol now.
pub struct Upgraded {
    /// What the endpoint already sent in it.
    pub early: BytesMut,
    /// The stream.
    pub io: Io,
    /// Longest silence.
    pub idle: Duration,
    _flight: Flight,
}

fn upstream_failure(malformed: Malformed) -> Failure {
    match malformed {
        Malformed::HeaderTooLarge => Failure::UpstreamHeaderTooLarge,
        _ => Failure::UpstreamProtocol,
    }
}
