//! What exchanges on streams have in common, whatever the version: the wait for the response, then its content.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::{StatusCode, response};
use tidegate_core::failure::Failure;
use tidegate_core::message::alt_svc::AltSvc;
use tokio::time::Instant;

use super::arriving::Arriving;
use super::multiplexed::{Stream, Used};
use super::pumped::Pumped;
use super::wait::Wait;
use super::websocket::WebSocket;
use super::{Outgoing, TryTimeouts, Waiter};
use crate::http::body::NextFrame;
use crate::http::broken::Broken;
use crate::http::interim::Interims;
use crate::http::silence::Patient;
use crate::net::deadline::Deadline;
use crate::upstream::flight::Flight;

/// How far an exchange is on a stream of a `C`, whose content is an `I` and whose WebSocket would be a `D`.
pub struct Progress<C: Used, I, D> {
    /// The content of the response.
    pub arriving: Arriving<I>,
    /// The WebSocket that was asked for.
    pub websocket: WebSocket<D>,
    /// The interim responses so far.
    pub interims: Interims,
    /// How long the endpoint may take.
    pub timeouts: TryTimeouts,
    /// When the head of the response came.
    pub heard: Instant,
    deadline: Deadline,
    wait: Wait,
    flight: Flight,
    stream: Stream<C>,
}

impl<C: Used, I: Patient, D> Progress<C, I, D> {
    /// `request` is begun to be sent on a stream of `connection`.
    pub fn begin(connection: Rc<C>, flight: Flight, request: &Outgoing<'_>) -> Self {
        let (timeouts, heard) = (request.timeouts, flight.began());
        let mut deadline = Deadline::default();
        let wait = Wait::begin(&mut deadline, heard, timeouts.response);
        let websocket = match request.asks_for_websocket() {
            true => WebSocket::ask(request.head),
            false => WebSocket::Unasked,
        };
        Self {
            arriving: Arriving::NONE,
            websocket,
            interims: Interims::default(),
            timeouts,
            heard,
            deadline,
            wait,
            flight,
            stream: Stream::new(connection),
        }
    }

    /// The connection that its stream is a part of.
    pub fn connection(&self) -> &C {
        self.stream.connection()
    }

    /// There will be no response, and nothing can be said for the request.
    pub fn broken(&mut self, failure: Failure) -> Broken {
        self.flight.failed(failure);
        Broken::with(failure)
    }

    /// While the response is awaited so much of the request was `pumped`.
    pub fn sent(&mut self, pumped: Pumped) -> Result<(), Broken> {
        pumped.result.map_err(|failure| self.broken(failure))?;
        if pumped.progressed {
            self.wait.renew(Instant::now(), self.timeouts.response);
        }
        Ok(())
    }

    /// Ready once the response has been awaited for as long as it may be.
    pub fn poll_over(&mut self, waiter: &Waiter<'_>, cx: &mut Context<'_>) -> Poll<Broken> {
        let over = ready!(self.wait.poll(&mut self.deadline, waiter, cx));
        self.stream.usage().timed_out(self.flight.began());
        Poll::Ready(self.broken(over))
    }

    /// The head of an interim response came, and goes on.
    pub fn pass(&mut self, head: response::Parts, waiter: &Waiter<'_>) -> Result<(), Broken> {
        self.stream.usage().heard_at(Instant::now());
        let passed = self.interims.pass(waiter.interim, head.status, head.headers);
        passed.map_err(|failure| self.broken(failure))
    }

    /// The head of the response came, which said so of HTTP/3.
    pub fn answered(&mut self, status: StatusCode, said: Option<AltSvc>) {
        self.heard = Instant::now();
        self.stream.usage().heard_at(self.heard);
        self.flight.answered(status, self.heard);
        self.flight.announced(said);
    }

    /// The content of the response comes as `incoming`.
    pub fn receive(&mut self, incoming: I) {
        self.arriving.begin(incoming);
        self.arriving.finish_if_done(&mut self.flight);
    }

    /// The next piece of the content; meanwhile so much of the request was `pumped`.
    pub fn poll_frame(&mut self, pumped: Pumped, cx: &mut Context<'_>) -> NextFrame {
        self.arriving.poll_frame(&mut self.flight, pumped, cx)
    }
}
