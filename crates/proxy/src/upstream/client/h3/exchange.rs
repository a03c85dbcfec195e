//! A request and its response on a stream of a connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode, response};
use quinn::ConnectionError;
use tidegate_core::failure::Failure;
use tidegate_core::message::{Malformed, pseudo};
use tokio::time::Instant;

use super::connection::Connection;
use crate::http::body::{Body, NextFrame, Source};
use crate::http::broken::Broken;
use crate::http::duplex::Holding;
use crate::http::failures::Failures;
use crate::http::h3::code::Code;
use crate::http::h3::duplex::TunnelStream;
use crate::http::h3::frame::{Carrier, Frames, Peer, Piece};
use crate::http::h3::head::{self, Refused};
use crate::http::h3::incoming::Incoming;
use crate::http::h3::pump::Pump;
use crate::http::h3::receiving::{Lost, Receiving};
use crate::http::h3::sending::Sending;
use crate::http::interim::Interims;
use crate::net::deadline::Deadline;
use crate::upstream::client::arriving::{Arriving, Patient};
use crate::upstream::client::multiplexed::Stream;
use crate::upstream::client::pumped::Pumped;
use crate::upstream::client::wait::Wait;
use crate::upstream::client::websocket::WebSocket;
use crate::upstream::client::{Exchange, MAX_HEAD, Outgoing, TryTimeouts, Waiter};
use crate::upstream::flight::Flight;

/// A request on its way, then its response.
pub struct H3Exchange {
    upload: Option<Upload>,
    /// Where the head of the response comes; absent: there is no stream, or it came.
    receiving: Option<Receiving>,
    arriving: Arriving<Incoming>,
    method: Method,
    /// The number of the stream.
    number: u64,
    websocket: WebSocket<TunnelStream>,
    interims: Interims,
    deadline: Deadline,
    timeouts: TryTimeouts,
    wait: Wait,
    heard: Instant,
    flight: Flight,
    stream: Stream<Connection>,
}

/// The request's half of the stream.
struct Upload {
    sending: Sending,
    /// Absent: all was sent, the endpoint wants no more, or what follows is a WebSocket.
    pump: Option<Pump>,
}

impl H3Exchange {
    /// Begin to send a request.
    pub fn start(connection: Rc<Connection>, flight: Flight, request: Outgoing<'_>) -> Self {
        let method = request.head.method.clone();
        let timeouts = request.timeouts;
        let mut deadline = Deadline::default();
        let heard = flight.began();
        let wait = Wait::begin(&mut deadline, heard, timeouts.response);
        let (mut upload, mut receiving, mut number) = (None, None, 0);
        let websocket = match request.asks_for_websocket() {
            true => WebSocket::ask(request.head),
            false => WebSocket::Unasked,
        };
        if let Some((send, recv)) = connection.next_stream() {
            number = send.id().into();
            let carrier = Carrier::Request { section: u64::from(MAX_HEAD) };
            let frames = Frames::new(Peer::Server, carrier);
            receiving = Some(Receiving::new(connection.quic().clone(), recv, Bytes::new(), frames));
            upload = Some(Upload::begin(Sending::new(send), request));
        }
        Self {
            upload,
            receiving,
            arriving: Arriving::NONE,
            method,
            number,
            websocket,
            interims: Interims::default(),
            deadline,
            timeouts,
            wait,
            heard,
            flight,
            stream: Stream::new(connection),
        }
    }

    /// There will be no response, and nothing can be said for the request.
    fn broken(&mut self, failure: Failure) -> Broken {
        self.flight.failed(failure);
        Broken::with(failure)
    }

    /// The endpoint said that it does not look at the request.
    fn refused(&mut self) -> Broken {
        Broken { stale: true, refused: true, ..self.broken(Failure::UpstreamReset) }
    }

    /// There will be no response, because of what became of the stream.
    fn broken_by(&mut self, lost: Lost) -> Broken {
        match lost {
            Lost::TooLarge => self.broken(Malformed::HeaderTooLarge.of_response()),
            Lost::Broken => self.broken(Failure::UpstreamProtocol),
            // RFC 9114 §4.1.1: nothing was done for it.
            Lost::Reset(Code::REQUEST_REJECTED) => {
                Broken { refused: true, ..self.broken(Failure::UpstreamReset) }
            }
            Lost::Reset(_) => self.broken(Failure::UpstreamReset),
            Lost::Gone if self.stream.connection().refuses(self.number) => self.refused(),
            Lost::Gone => {
                let (failure, is_its_end) = match self.stream.connection().quic().close_reason() {
                    // It broke the protocol, on this stream or another.
                    Some(ConnectionError::TransportError(_) | ConnectionError::LocallyClosed) => {
                        (Failure::UpstreamProtocol, false)
                    }
                    _ => (Failure::UpstreamReset, true),
                };
                let stale = is_its_end && !self.interims.came();
                Broken { stale, ..self.broken(failure) }
            }
        }
    }

    /// The WebSocket that was asked for begins.
    fn begin_websocket(&mut self) {
        if let (Some(upload), Some(receiving)) = (self.upload.take(), self.receiving.take()) {
            let sending = Rc::new(RefCell::new(upload.sending));
            self.websocket = WebSocket::Begun(TunnelStream::new(receiving, sending));
        }
    }

    /// The head of the response, once interim ones are passed on.
    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<response::Parts, Broken>> {
        loop {
            let head = match ready!(self.poll_section(cx)) {
                Ok(section) => self.read(&section),
                Err(broken) => return Poll::Ready(Err(broken)),
            };
            let mut head = match head {
                Ok(head) => head,
                Err(broken) => return Poll::Ready(Err(broken)),
            };
            let now = Instant::now();
            self.stream.usage().heard_at(now);
            if !head.status.is_informational() {
                self.heard = now;
                return Poll::Ready(self.answered(&mut head).map(|()| head));
            }
            if let Err(failure) = self.interims.pass(waiter.interim, head.status, head.headers) {
                return Poll::Ready(Err(self.broken(failure)));
            }
        }
    }

    fn poll_section(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        let Some(receiving) = &mut self.receiving else {
            return Poll::Ready(Err(Broken::UNSENT));
        };
        Poll::Ready(match ready!(receiving.poll_piece(cx)) {
            Ok(Some(Piece::Section(section))) => Ok(section),
            Ok(Some(Piece::Data(_) | Piece::Control(..))) => {
                // RFC 9114 §4.1: content before its head.
                let lost = receiving.end_all(Code::FRAME_UNEXPECTED);
                Err(self.broken_by(lost))
            }
            Ok(None) => Err(self.broken(Failure::UpstreamProtocol)),
            Err(lost) => Err(self.broken_by(lost)),
        })
    }

    fn read(&mut self, section: &Bytes) -> Result<response::Parts, Broken> {
        let read = head::response(section, MAX_HEAD as usize).and_then(|mut head| {
            let judged = pseudo::response(&mut head.headers).map_err(Refused::Malformed);
            judged.map(|alt_svc| (head, alt_svc))
        });
        if let Ok((_, alt_svc)) = &read {
            self.flight.announced(*alt_svc);
        }
        read.map(|(head, _)| head).map_err(|refused| match (refused, &mut self.receiving) {
            (Refused::Malformed(malformed), receiving) => {
                if let Some(receiving) = receiving {
                    receiving.stop(Code::MESSAGE_ERROR);
                }
                self.broken(malformed.of_response())
            }
            (Refused::Undecodable(code), receiving) => {
                if let Some(receiving) = receiving {
                    receiving.end_all(code);
                }
                self.broken(Failure::UpstreamProtocol)
            }
        })
    }

    /// This is the response; what comes now is its content.
    fn answered(&mut self, head: &mut response::Parts) -> Result<(), Broken> {
        let status = head.status;
        if self.websocket.begins(head) {
            self.begin_websocket();
            self.flight.answered(status, self.heard);
            return Ok(());
        }
        if let Some(upload) = self.upload.as_mut().filter(|upload| upload.pump.is_none()) {
            upload.sending.finish();
        }
        if let Some(receiving) = self.receiving.take() {
            let length = length(&self.method, head);
            if receiving.is_end() && length.is_some_and(|length| length > 0) {
                return Err(self.broken(Malformed::Syntax.of_response()));
            }
            let (limit, idle) = (MAX_HEAD as usize, self.timeouts.idle);
            let failures = Failures::OF_RESPONSE;
            self.arriving.begin(Incoming::new(receiving, length, limit, idle, failures));
        }
        self.flight.answered(head.status, self.heard);
        self.arriving.finish_if_done(&mut self.flight);
        Ok(())
    }
}

/// How much content follows `head`, where that is known (RFC 9110 §6.4.1).
fn length(method: &Method, head: &response::Parts) -> Option<u64> {
    let is_bodiless = method == Method::HEAD
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if is_bodiless {
        return Some(0);
    }
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Upload {
    fn begin(mut sending: Sending, request: Outgoing<'_>) -> Self {
        if request.asks_for_websocket() {
            sending.push_connect(request.head);
            return Self { sending, pump: None };
        }
        sending.push_request(request.head);
        let pump = Some(Pump::new(request.body, request.timeouts.idle));
        Self { sending, pump }
    }

    /// Send on.
    fn poll(&mut self, cx: &mut Context<'_>) -> Pumped {
        let Some(pump) = &mut self.pump else {
            // An endpoint that takes no more of it may answer all the same.
            let _ = self.sending.poll_flush(cx);
            return Pumped::DONE;
        };
        let before = self.sending.taken();
        let polled = pump.poll(&mut self.sending, cx);
        let went_on = pump.starved || self.sending.taken() > before;
        if polled.is_ready() {
            self.pump = None;
        }
        Pumped::of(polled, went_on)
    }
}

impl Exchange for H3Exchange {
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<response::Parts, Broken>> {
        let pumped = self.upload.as_mut().map_or(Pumped::DONE, |upload| upload.poll(cx));
        if let Err(failure) = pumped.result {
            return Poll::Ready(Err(self.broken(failure)));
        }
        if pumped.progressed {
            self.wait.renew(Instant::now(), self.timeouts.response);
        }
        if let Poll::Ready(response) = self.poll_response(cx, waiter) {
            return Poll::Ready(response);
        }
        // Nothing wakes the task when the endpoint says so; the wait does now and then.
        if self.stream.connection().refuses(self.number) {
            return Poll::Ready(Err(self.refused()));
        }
        let over = ready!(self.wait.poll(&mut self.deadline, waiter, cx));
        self.stream.usage().timed_out(self.flight.began());
        Poll::Ready(Err(self.broken(over)))
    }

    /// When the head of the response came.
    fn heard(&self) -> Instant {
        self.heard
    }

    fn into_body(mut self: Box<Self>) -> Body {
        match self.websocket.take() {
            // It counts as a stream, and as a request in flight, until it is dropped.
            Some(end) => Body::Upgraded(Box::new(Holding::new(end, self))),
            None => Body::Stream(self),
        }
    }
}

impl Source for H3Exchange {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let pumped = self.upload.as_mut().map_or(Pumped::DONE, |upload| upload.poll(cx));
        self.arriving.poll_frame(&mut self.flight, pumped, cx)
    }

    fn is_end(&self) -> bool {
        self.arriving.is_end()
    }
}

impl Patient for Incoming {
    fn wait_anew(&mut self) {
        Self::wait_anew(self);
    }
}

impl Drop for H3Exchange {
    /// Tell the endpoint where nothing more is wanted of it (RFC 9114 §4.1.1).
    fn drop(&mut self) {
        if let Some(receiving) = &mut self.receiving {
            receiving.stop(Code::REQUEST_CANCELLED);
        } else if self.arriving.is_end() {
            return;
        }
        if let Some(incoming) = self.arriving.as_mut() {
            incoming.cancel();
        }
        if let Some(upload) = &mut self.upload {
            upload.sending.reset(Code::REQUEST_CANCELLED);
        }
    }
}
