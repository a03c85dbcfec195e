//! A request and its response on a stream of a connection.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::header::{HOST, SEC_WEBSOCKET_KEY};
use http::uri::{Authority, Scheme, Uri};
use http::{Method, Request, Response, Version, request, response};
use tidegate_core::failure::Failure;
use tidegate_core::message::alt_svc::AltSvc;
use tidegate_core::message::{Malformed, pseudo};
use tokio::time::Instant;

use super::connection::Connection;
use crate::http::body::{Body, NextFrame, Source};
use crate::http::broken::Broken;
use crate::http::duplex::Holding;
use crate::http::failures::Failures;
use crate::http::h2::pump::Pump;
use crate::http::h2::{Incoming, TunnelStream};
use crate::upstream::client::multiplexed::Used;
use crate::upstream::client::progress::Progress;
use crate::upstream::client::pumped::Pumped;
use crate::upstream::client::websocket::WebSocket;
use crate::upstream::client::{Exchange, Outgoing, Waiter};
use crate::upstream::flight::Flight;

/// A request on its way, then its response.
pub struct H2Exchange {
    response: Option<ResponseFuture>,
    pump: Option<Pump>,
    /// Our half of a stream that is to carry a WebSocket.
    outgoing: Option<SendStream<Bytes>>,
    progress: Progress<Connection, Incoming, TunnelStream>,
}

impl H2Exchange {
    /// Begin to send a request. One for a WebSocket is sent by extended CONNECT, which the endpoint takes.
    pub fn start(connection: Rc<Connection>, flight: Flight, request: Outgoing<'_>) -> Self {
        let asks_for_websocket = request.asks_for_websocket();
        let progress = Progress::begin(connection.clone(), flight, &request);
        let Outgoing { head, body, timeouts, .. } = request;
        let mut wanted = translate(head, connection.is_secure());
        if asks_for_websocket {
            connect(&mut wanted);
        }
        let ends = body.is_end() && !asks_for_websocket;
        let (mut pump, mut outgoing) = (None, None);
        let response = match connection.sender().send_request(wanted, ends) {
            Ok((response, stream)) => {
                if asks_for_websocket {
                    outgoing = Some(stream);
                } else if !ends {
                    pump = Some(Pump::new(stream, body, timeouts.idle));
                }
                Some(response)
            }
            Err(_) => {
                connection.usage().close();
                None
            }
        };
        Self { response, pump, outgoing, progress }
    }

    /// There will be no response, because of what the connection reports.
    fn broken_by(&mut self, error: &h2::Error) -> Broken {
        // A GOAWAY of the endpoint ends only the streams that it did not look at. One of our own,
        // because it broke the protocol, says nothing about what became of the request.
        let went_away = error.is_remote() && error.is_go_away();
        let refused =
            went_away || error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM);
        let failure = match error.is_library() && !error.is_io() {
            true => Failure::UpstreamProtocol,
            false => Failure::UpstreamReset,
        };
        Broken { stale: went_away, refused, ..self.progress.broken(failure) }
    }

    /// What a head says of HTTP/3; it is brought into the form that all versions have.
    fn judge(&mut self, head: &mut response::Parts) -> Result<Option<AltSvc>, Broken> {
        let judged = pseudo::response(&mut head.headers).map_err(Malformed::of_response);
        judged.map_err(|failure| self.progress.broken(failure))
    }

    /// This is the response; `stream` brings its content, or the WebSocket that was asked for.
    fn answered(&mut self, response: Response<RecvStream>) -> Result<response::Parts, Broken> {
        let (mut head, stream) = response.into_parts();
        head.version = Version::HTTP_2;
        let said = self.judge(&mut head)?;
        self.progress.answered(head.status, said);
        let begins = self.progress.websocket.begins(&mut head);
        match self.outgoing.take() {
            Some(outgoing) if begins => {
                let end = TunnelStream::new(stream, outgoing);
                self.progress.websocket = WebSocket::Begun(end);
            }
            outgoing => {
                if let Some(mut unwanted) = outgoing {
                    // A stream that was reset needs no end.
                    let _ = unwanted.send_data(Bytes::new(), true);
                }
                let idle = self.progress.timeouts.idle;
                self.progress.receive(Incoming::new(stream, idle, Failures::OF_RESPONSE));
            }
        }
        Ok(head)
    }
}

impl Exchange for H2Exchange {
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        waiter: &Waiter<'_>,
    ) -> Poll<Result<response::Parts, Broken>> {
        self.progress.sent(poll_pump(&mut self.pump, cx))?;
        let Some(mut response) = self.response.take() else {
            return Poll::Ready(Err(Broken::UNSENT));
        };
        while let Poll::Ready(Some(Ok(head))) = response.poll_informational(cx) {
            let (mut head, ()) = head.into_parts();
            self.judge(&mut head)?;
            self.progress.pass(head, waiter)?;
        }
        match Pin::new(&mut response).poll(cx) {
            Poll::Ready(Ok(response)) => Poll::Ready(self.answered(response)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.broken_by(&error))),
            Poll::Pending => {
                self.response = Some(response);
                self.progress.poll_over(waiter, cx).map(Err)
            }
        }
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

impl Source for H2Exchange {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        let pumped = poll_pump(&mut self.pump, cx);
        self.progress.poll_frame(pumped, cx)
    }

    fn is_end(&self) -> bool {
        self.progress.arriving.is_end()
    }
}

impl Drop for H2Exchange {
    fn drop(&mut self) {
        let complete = self.is_end();
        if let Some(pump) = self.pump.as_mut().filter(|_| !complete) {
            pump.reset(Reason::CANCEL);
        }
    }
}

/// Send on; a pump that is done is dropped.
fn poll_pump(pump: &mut Option<Pump>, cx: &mut Context<'_>) -> Pumped {
    let Some(running) = pump else { return Pumped::DONE };
    let before = running.sent;
    let polled = running.poll(cx);
    let went_on = running.starved || running.sent > before;
    if polled == Poll::Ready(Ok(())) {
        *pump = None;
    }
    Pumped::of(polled, went_on)
}

/// Make an extended CONNECT of a request for a WebSocket over HTTP/1, whose key goes no further (RFC 8441 §5).
fn connect(request: &mut Request<()>) {
    *request.method_mut() = Method::CONNECT;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    request.headers_mut().remove(SEC_WEBSOCKET_KEY);
}

/// The request as HTTP/2 writes it: `Host` becomes `:authority` (RFC 9113 §8.3.1).
fn translate(head: &request::Parts, secure: bool) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = head.headers.clone();
    let host = request.headers_mut().remove(HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = http::uri::Parts::default();
    parts.scheme = authority.as_ref().map(|_| if secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = authority;
    parts.path_and_query = head.uri.path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_else(|_| head.uri.clone());
    request
}
