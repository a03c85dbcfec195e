//! Reading requests: heads, and the bodies behind them.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::{Method, Version};
use tidegate_core::failure::Failure;
use tidegate_core::message::Malformed;
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use super::state::{ClientState, Event};
use super::transport::{SharedTransport, Transport, Wire};
use crate::client::Client;
use crate::http::body::{Body, NextFrame, Source};
use crate::http::h1::framing::{Decoded, Decoder};
use crate::http::h1::request::{self, RequestHead};
use crate::http::h1::request_line::RequestLine;

/// Size of a read while a body comes in.
const BODY_READ: usize = 64 * 1024;

impl Transport {
    /// Get ready for the next request; the last one ended at `ended`, and the client may be idle for `idle`.
    pub fn await_request(&self, ended: Instant, idle: Duration) {
        let wire = &mut *self.wire();
        wire.state.on(Event::NextRequest);
        wire.output.shrink();
        if wire.input.is_empty() {
            wire.input = BytesMut::new();
            wire.reading.set(ended, idle);
        } else {
            wire.reading.clear();
        }
    }

    /// The head of the next request; nothing if the client closed, was idle too long, or the gateway drains.
    pub fn poll_head(
        &self,
        client: &Client,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Box<RequestHead>>, Failure>> {
        let wire = &mut *self.wire();
        let head = ready!(wire.poll_head(client, cx));
        match &head {
            Ok(Some(_)) => wire.state.on(Event::Request),
            Ok(None) | Err(Failure::ClientGone) => wire.state.on(Event::Gone),
            Err(_) => {
                wire.state.on(Event::Malformed);
                wire.state.close_after();
            }
        }
        Poll::Ready(head)
    }

    /// What is told nevertheless by what could not be read as a request's head.
    pub fn salvage(&self) -> RequestLine {
        RequestLine::salvage(&self.wire().input)
    }

    /// The body behind `head`.
    pub fn receive(self: &Rc<Self>, client: &Rc<Client>, head: &mut RequestHead) -> Body {
        let wire = &mut *self.wire();
        let RequestHead { parts, control, decoder } = head;
        let lasts = parts.version == Version::HTTP_11 || control.keep_alive;
        // What follows a CONNECT, which is always refused, may be meant for the tunnel: no request.
        if !lasts || control.close || parts.method == Method::CONNECT {
            wire.state.close_after();
        }
        wire.decoder = std::mem::replace(decoder, Decoder::Done);
        wire.reading.clear();
        if wire.decoder.is_done() {
            wire.state.on(Event::RequestEnd);
            return Body::Empty;
        }
        // RFC 9110 §10.1.1: HTTP/1.0 knows no interim responses.
        let expects = control.expect_continue && parts.version != Version::HTTP_10;
        if expects && wire.input.is_empty() {
            wire.state.on(Event::ExpectContinue);
        }
        Body::stream(RequestBody { transport: self.clone(), client: client.clone() })
    }
}

impl Wire {
    fn poll_head(
        &mut self,
        client: &Client,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Box<RequestHead>>, Failure>> {
        loop {
            let was_idle = self.input.is_empty();
            if !was_idle {
                match request::read(&mut self.input, &mut self.scanned, client.head_rules()) {
                    Ok(None) => {}
                    Ok(head) => return Poll::Ready(Ok(head)),
                    Err(malformed) => return Poll::Ready(Err(malformed.of_request())),
                }
            }
            match self.io.poll_read_through(cx, &mut self.input) {
                Poll::Ready(Ok(0) | Err(_)) => {
                    let clean = self.input.is_empty();
                    return Poll::Ready(if clean { Ok(None) } else { Err(Failure::ClientGone) });
                }
                Poll::Ready(Ok(_)) => {
                    if was_idle {
                        // It is set once the head turns out to be incomplete, which it hardly ever is.
                        self.reading.clear();
                    }
                }
                Poll::Pending if was_idle => {
                    if client.poll_draining(cx) {
                        return Poll::Ready(Ok(None));
                    }
                    ready!(self.reading.poll_expired(cx));
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending => {
                    self.reading.ensure(client.settings.plan.timeouts.header_read.duration());
                    ready!(self.reading.poll_expired(cx));
                    return Poll::Ready(Err(Failure::HeaderTimeout));
                }
            }
        }
    }

    /// Take in what has arrived of a body that nothing wants.
    pub fn skip_arrived(&mut self) {
        if self.state.client() == ClientState::BodyDiscarded {
            while let Ok(Decoded::Frame(_)) = self.decode() {}
        }
    }

    fn poll_body(&mut self, client: &Client, cx: &mut Context<'_>) -> NextFrame {
        if self.state.allows(Event::Continue) {
            self.output.buffer().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.state.on(Event::Continue);
        }
        // Interim responses wait for room; the body does not wait for them.
        if self.state.allows(Event::Interim)
            && let Poll::Ready(Err(_)) = self.poll_write(cx)
        {
            self.state.on(Event::Gone);
            return fail(Failure::ClientGone);
        }
        loop {
            match self.decode() {
                Ok(Decoded::Frame(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(Decoded::End) => return Poll::Ready(None),
                Ok(Decoded::More) => {}
                Err(malformed) => return fail(malformed.of_request()),
            }
            let wanted = self.decoder.remaining().unwrap_or(u64::MAX).min(BODY_READ as u64);
            self.input.reserve(usize::try_from(wanted).unwrap_or(BODY_READ).max(1024));
            match poll_read_buf(Pin::new(&mut self.io), cx, &mut self.input) {
                Poll::Ready(Ok(1..)) => self.reading.clear(),
                Poll::Ready(_) => {
                    self.state.on(Event::Gone);
                    return fail(Failure::ClientGone);
                }
                Poll::Pending => {
                    self.reading.ensure(client.settings.plan.timeouts.request_body.duration());
                    ready!(self.reading.poll_expired(cx));
                    self.state.on(Event::Malformed);
                    return fail(Failure::BodyTimeout);
                }
            }
        }
    }

    /// The next piece of the body out of what was read.
    pub fn decode(&mut self) -> Result<Decoded, Malformed> {
        if self.decoder.is_done() {
            return Ok(Decoded::End);
        }
        let decoded = self.decoder.decode(&mut self.input);
        match &decoded {
            Ok(Decoded::Frame(_)) => self.state.on(Event::RequestData),
            Ok(Decoded::More | Decoded::End) => {}
            Err(_) => self.state.on(Event::Malformed),
        }
        if self.decoder.is_done() {
            self.state.on(Event::RequestEnd);
        }
        decoded
    }
}

/// The body of a client's request.
pub struct RequestBody {
    transport: SharedTransport,
    client: Rc<Client>,
}

impl Source for RequestBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        self.transport.wire().poll_body(&self.client, cx)
    }

    fn is_end(&self) -> bool {
        self.transport.wire().decoder.is_done()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let state = &mut self.transport.wire().state;
        if state.allows(Event::Discard) {
            state.on(Event::Discard);
        }
    }
}

fn fail(failure: Failure) -> NextFrame {
    Poll::Ready(Some(Err(failure)))
}
