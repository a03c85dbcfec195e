//! A request and its response on a stream of a connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, response};
use quinn::ConnectionError;
use tidegate_core::failure::Failure;
use tidegate_core::message::alt_svc::AltSvc;
use tidegate_core::message::{Malformed, content, pseudo};
use tokio::time::Instant;

use super::connection::Connection;
use crate::http::body::{Body, NextFrame, Source};
use crate::http::broken::Broken;
use crate::http::duplex::Holding;
use crate::http::failures::Failures;
use crate::http::h3::code::Code;
use crate::http::h3::duplex::TunnelStream;
use crate::http::h3::frame::{Carrier, Frames, Peer, Piece};
use crate::http::h3::head::{self, Refused, RequestForm};
use crate::http::h3::incoming::Incoming;
use crate::http::h3::pump::Pump;
use crate::http::h3::receiving::{Lost, Receiving};
use crate::http::h3::sending::Sending;
use crate::http::stopped::Stopped;
use crate::upstream::client::progress::Progress;
use crate::upstream::client::pumped::Pumped;
use crate::upstream::client::websocket::WebSocket;
use crate::upstream::client::{Exchange, MAX_HEAD, Outgoing, Waiter};
use crate::upstream::flight::Flight;

/// A request on its way, then its response.
pub struct H3Exchange {
    upload: Option<Upload>,
    /// Where the head of the response comes; absent: there is no stream, or it came.
    receiving: Option<Receiving>,
    /// Why there is no stream, where there is none.
    unsent: Broken,
    method: Method,
    progress: Progress<Connection, Incoming, TunnelStream>,
}

/// The request's half of the stream.
struct Upload {
    sending: Sending,
    /// Absent: all was sent, the endpoint wants no more, or what follows is a WebSocket.
    pump: Option<Pump>,
}

impl H3Exchange {
    /// Begin to send a request. One for a WebSocket is sent by extended CONNECT, which the endpoint takes.
    pub fn start(connection: Rc<Connection>, flight: Flight, request: Outgoing<'_>) -> Self {
        let method = request.head.method.clone();
        let progress = Progress::begin(connection.clone(), flight, &request);
        let (mut upload, mut receiving, mut unsent) = (None, None, Broken::UNSENT);
        if !connection.takes(request.head, form_of(&request)) {
            unsent = Broken::with(Failure::HeaderTooLarge);
        } else if let Some((send, recv)) = connection.next_stream() {
            let carrier = Carrier::Request { section: u64::from(MAX_HEAD) };
            let frames = Frames::new(Peer::Server, carrier);
            receiving = Some(Receiving::new(connection.quic().clone(), recv, Bytes::new(), frames));
            upload = Some(Upload::begin(Sending::new(send), request));
        }
        Self { upload, receiving, unsent, method, progress }
    }

    /// What the head of the response came on, for what follows it.
    fn take_receiving(&mut self) -> Option<Receiving> {
        let receiving = self.receiving.take()?;
        self.progress.connection().departure().forget(receiving.number());
        Some(receiving)
    }

    /// Whether the endpoint said that it does not look at the request.
    fn is_refused(&self) -> bool {
        let departure = self.progress.connection().departure();
        self.receiving.as_ref().is_some_and(|receiving| departure.refuses(receiving.number()))
    }

    /// The same; the task is woken when it does.
    fn poll_refused(&self, cx: &Context<'_>) -> bool {
        let departure = self.progress.connection().departure();
        let receiving = self.receiving.as_ref();
        receiving.is_some_and(|receiving| departure.poll_refuses(receiving.number(), cx))
    }

    /// The endpoint said that it does not look at the request.
    fn refused(&mut self) -> Broken {
        Broken { stale: true, refused: true, ..self.progress.broken(Failure::UpstreamReset) }
    }

    /// There will be no response, because of what became of the stream.
    fn broken_by(&mut self, lost: Lost) -> Broken {
        match lost {
            Lost::TooLarge => self.progress.broken(Malformed::HeaderTooLarge.of_response()),
            Lost::Breach => self.progress.broken(Failure::UpstreamProtocol),
            // RFC 9114 §4.1.1: nothing was done for it.
            Lost::Reset(Code::REQUEST_REJECTED) => {
                Broken { refused: true, ..self.progress.broken(Failure::UpstreamReset) }
            }
            Lost::Reset(_) => self.progress.broken(Failure::UpstreamReset),
            Lost::Gone if self.is_refused() => self.refused(),
            Lost::Gone => {
                let reason = self.progress.connection().quic().close_reason();
                let (failure, is_its_end) = match reason {
                    // It broke the protocol, on this stream or another.
                    Some(ConnectionError::TransportError(_) | ConnectionError::LocallyClosed) => {
                        (Failure::UpstreamProtocol, false)
                    }
                    _ => (Failure::UpstreamReset, true),
                };
                let stale = is_its_end && !self.progress.interims.came();
                Broken { stale, ..self.progress.broken(failure) }
            }
        }
    }

    /// The head of the response, once interim ones are passed on.
    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<response::Parts, Broken>> {
        loop {
            let section = ready!(self.poll_section(cx))?;
            let (head, said) = self.read(&section)?;
            if !head.status.is_informational() {
                return Poll::Ready(self.answered(head, said));
            }
            self.progress.pass(head, waiter)?;
        }
    }

    fn poll_section(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        let Some(receiving) = &mut self.receiving else {
            return Poll::Ready(Err(self.unsent));
        };
        Poll::Ready(match ready!(receiving.poll_piece(cx)) {
            Ok(Some(Piece::Section(section))) => Ok(section),
            Ok(Some(Piece::Data(_) | Piece::Control(..))) => {
                // RFC 9114 §4.1: content before its head.
                let lost = receiving.end_all(Code::FRAME_UNEXPECTED);
                Err(self.broken_by(lost))
            }
            Ok(None) => Err(self.progress.broken(Failure::UpstreamProtocol)),
            Err(lost) => Err(self.broken_by(lost)),
        })
    }

    /// A head, and what it says of HTTP/3.
    fn read(&mut self, section: &Bytes) -> Result<(response::Parts, Option<AltSvc>), Broken> {
        let read = head::response(section, MAX_HEAD as usize).and_then(|mut head| {
            let judged = pseudo::response(&mut head.headers).map_err(Refused::Malformed);
            judged.map(|said| (head, said))
        });
        read.map_err(|refused| match (refused, &mut self.receiving) {
            (Refused::Malformed(malformed), receiving) => {
                if let Some(receiving) = receiving {
                    receiving.stop(Code::MESSAGE_ERROR);
                }
                self.progress.broken(malformed.of_response())
            }
            (Refused::Undecodable(code), receiving) => {
                if let Some(receiving) = receiving {
                    receiving.end_all(code);
                }
                self.progress.broken(Failure::UpstreamProtocol)
            }
        })
    }

    /// This is the response; what comes now is its content, or the WebSocket that was asked for.
    fn answered(
        &mut self,
        mut head: response::Parts,
        said: Option<AltSvc>,
    ) -> Result<response::Parts, Broken> {
        let (status, length) = (head.status, length(&self.method, &head));
        let (Some(receiving), Some(mut upload)) = (self.take_receiving(), self.upload.take())
        else {
            return Err(self.progress.broken(Failure::Internal));
        };
        let asked_for_websocket = self.progress.websocket.is_asked();
        if self.progress.websocket.begins(&mut head) {
            self.progress.answered(status, said);
            let sending = Rc::new(RefCell::new(upload.sending));
            let end = TunnelStream::new(receiving, sending);
            self.progress.websocket = WebSocket::Begun(end);
            return Ok(head);
        }
        if asked_for_websocket {
            // Its head was all that it had to say.
            upload.sending.finish();
        }
        self.upload = Some(upload);
        if receiving.is_end() && length.is_some_and(|length| length > 0) {
            return Err(self.progress.broken(Malformed::Syntax.of_response()));
        }
        self.progress.answered(status, said);
        let (limit, idle) = (MAX_HEAD as usize, self.progress.timeouts.idle);
        let incoming = Incoming::new(receiving, length, limit, idle, Failures::OF_RESPONSE);
        self.progress.receive(incoming);
        Ok(head)
    }
}

/// What the request is written as.
fn form_of(request: &Outgoing<'_>) -> RequestForm {
    match request.asks_for_websocket() {
        true => RequestForm::WebSocket,
        false => RequestForm::Plain,
    }
}

/// How much content follows `head`, where that is known (RFC 9110 §6.4.1).
fn length(method: &Method, head: &response::Parts) -> Option<u64> {
    if content::is_bodiless_to(method, head.status) {
        return Some(0);
    }
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Upload {
    fn begin(mut sending: Sending, request: Outgoing<'_>) -> Self {
        let form = form_of(&request);
        sending.push_request(request.head, form);
        let pump =
            (form == RequestForm::Plain).then(|| Pump::new(request.body, request.timeouts.idle));
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
        // An endpoint that takes nothing for now may go on later.
        if polled.is_ready() && polled != Poll::Ready(Err(Stopped::Stalled)) {
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
        self.progress.sent(pumped)?;
        if let Poll::Ready(response) = self.poll_response(cx, waiter) {
            return Poll::Ready(response);
        }
        if self.poll_refused(cx) {
            return Poll::Ready(Err(self.refused()));
        }
        self.progress.poll_over(waiter, cx).map(Err)
    }

    fn heard(&self) -> Instant {
        self.progress.heard
    }

    fn into_body(mut self: Box<Self>) -> Body {
        match self.progress.websocket.take() {
            // It counts as a stream, and as a request in flight, until it is dropped.
            Some(end) => Body::Upgraded(Box::new(Holding::new(end, self))),
            None => Body::Stream(self),
        }
    }
}

impl Source for H3Exchange {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let pumped = self.upload.as_mut().map_or(Pumped::DONE, |upload| upload.poll(cx));
        self.progress.poll_frame(pumped, cx)
    }

    fn is_end(&self) -> bool {
        self.progress.arriving.is_end()
    }
}

impl Drop for H3Exchange {
    /// Tell the endpoint where nothing more is wanted of it (RFC 9114 §4.1.1).
    fn drop(&mut self) {
        if let Some(mut receiving) = self.take_receiving() {
            receiving.stop(Code::REQUEST_CANCELLED);
        } else if self.is_end() {
            return;
        }
        if let Some(incoming) = self.progress.arriving.as_mut() {
            incoming.cancel();
        }
        if let Some(upload) = &mut self.upload {
            upload.sending.reset(Code::REQUEST_CANCELLED);
        }
    }
}
