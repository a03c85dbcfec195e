//! Writing responses.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::UPGRADE;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use tidegate_core::failure::Failure;

use super::state::Event;
use super::transport::{SharedTransport, Transport, Wire};
use crate::client::Client;
use crate::http::body::{Body, Frame};
use crate::http::h1::encode;
use crate::http::h1::framing::Encoder;
use crate::http::h1::request::RequestHead;
use crate::http::interim::{Interim, InterimSink};
use crate::http::last_words::LastWords;
use crate::serve::request::Reply;
use crate::serve::tunnel;

/// Writes the response to one request.
pub struct ResponseWriter<'a> {
    client: &'a Client,
    transport: &'a SharedTransport,
    is_of_head: bool,
    version: Version,
}

impl<'a> ResponseWriter<'a> {
    /// Write the response to a request with this head.
    pub fn to(client: &'a Client, transport: &'a SharedTransport, head: &RequestHead) -> Self {
        let (is_of_head, version) = (head.parts.method == Method::HEAD, head.parts.version);
        Self { client, transport, is_of_head, version }
    }

    /// Write the response to what could not be read as a request.
    pub fn to_malformed(client: &'a Client, transport: &'a SharedTransport) -> Self {
        Self { client, transport, is_of_head: false, version: Version::HTTP_11 }
    }
}

impl Reply for ResponseWriter<'_> {
    fn interim(&self) -> InterimSink {
        match self.version {
            Version::HTTP_10 => None,
            _ => Some(self.transport.clone() as Rc<dyn Interim>),
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.transport.poll_gone(cx)
    }

    async fn send(&mut self, response: &mut Response<Body>, sent: &mut u64) -> Result<(), Failure> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let written = match std::mem::take(response.body_mut()) {
            Body::Upgraded(upgraded) => match self.transport.switch(status, headers) {
                Ok(()) => {
                    // How it ends is up to both sides; the response was complete with its head.
                    let _ = Box::pin(tunnel::run(&mut &**self.transport, upgraded, sent)).await;
                    return Ok(());
                }
                Err(failure) => Err(failure),
            },
            mut body => {
                self.begin(status, headers, body.is_end());
                if self.transport.wire().encoder == Encoder::None {
                    body = Body::Empty;
                }
                let mut broken = None;
                poll_fn(|cx| self.poll_body(&mut body, &mut broken, sent, cx)).await
            }
        };
        match written {
            Ok(told) => told.map_or(Ok(()), Err),
            Err(failure) => {
                self.transport.abort(failure);
                Err(failure)
            }
        }
    }
}

impl ResponseWriter<'_> {
    fn begin(&self, status: StatusCode, headers: HeaderMap, is_whole: bool) {
        let wire = &mut *self.transport.wire();
        wire.skip_arrived();
        if !wire.goes_on_after(status) || self.client.is_draining() {
            wire.state.close_after();
        }
        let context = encode::ResponseContext {
            is_of_head: self.is_of_head,
            version: self.version,
            keep_alive: wire.state.persists(),
            date: &|| self.client.local.date(),
        };
        wire.state.on(Event::Response);
        let buffer = wire.output.buffer();
        let (encoder, persists) = encode::response(status, &headers, is_whole, &context, buffer);
        wire.encoder = encoder;
        if !persists {
            wire.state.close_after();
        }
    }

    /// Write what waits and the whole of the body behind it, or as much as there was of it before it was `broken`:
    /// whether the client gets what came before must not depend on how soon after it the break comes. Ready with the
    /// failure that the body has told the client of, if it broke off so.
    fn poll_body(
        &self,
        body: &mut Body,
        broken: &mut Option<Failure>,
        sent: &mut u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Failure>, Failure>> {
        loop {
            let mut waits = false;
            while !waits && broken.is_none() && self.transport.takes_more() {
                let Poll::Ready(frame) = body.poll_frame(cx) else {
                    waits = true;
                    continue;
                };
                match frame.transpose().and_then(|frame| self.transport.push(frame)) {
                    Ok(size) => *sent += size,
                    Err(failure) => {
                        *broken = Some(failure);
                        self.end_told(body, failure)?;
                    }
                }
            }
            let patience = self.client.settings.plan.timeouts.write;
            ready!(self.transport.poll_flush(patience.duration(), cx))?;
            if self.transport.finish() {
                return Poll::Ready(Ok(*broken));
            }
            if let Some(failure) = *broken {
                return Poll::Ready(Err(failure));
            }
            if waits {
                return self.transport.poll_gone(cx).map(|()| Err(Failure::ClientGone));
            }
        }
    }

    /// End a body that broke off as if it were whole, where its content has told the client. Trailers would be read by
    /// none: clients of gRPC, which could, do not speak HTTP/1.
    #[cold]
    fn end_told(&self, body: &Body, failure: Failure) -> Result<(), Failure> {
        match body.last_words(failure) {
            LastWords::InContent => self.transport.push(None).map(drop),
            LastWords::Cut | LastWords::Trailers(_) => Ok(()),
        }
    }
}

impl Transport {
    /// Change over to another protocol, which the endpoint agreed to.
    fn switch(&self, status: StatusCode, mut headers: HeaderMap) -> Result<(), Failure> {
        let wire = &mut *self.wire();
        if !wire.state.allows(Event::Switch) {
            // RFC 9110 §7.8: not in the middle of the request.
            return Err(Failure::UpstreamProtocol);
        }
        wire.state.on(Event::Switch);
        let protocol = headers.remove(UPGRADE);
        encode::interim(status, &headers, protocol.as_ref(), wire.output.buffer());
        Ok(())
    }

    /// Whether more of the response's body can be queued.
    fn takes_more(&self) -> bool {
        let wire = &*self.wire();
        wire.state.allows(Event::ResponseData) && wire.output.takes_more()
    }

    /// Queue the next piece of the response, or its end. Returns how many bytes of content it has.
    fn push(&self, frame: Option<Frame>) -> Result<u64, Failure> {
        let Wire { encoder, output, state, .. } = &mut *self.wire();
        let (size, encoded) = match frame {
            Some(Frame::Data(data)) => (data.len() as u64, encoder.data(data, output)),
            Some(Frame::Trailers(trailers)) => {
                state.on(Event::ResponseEnd);
                (0, encoder.end(Some(&trailers), output))
            }
            None => {
                state.on(Event::ResponseEnd);
                (0, encoder.end(None, output))
            }
        };
        encoded.map(|()| size).map_err(|_| Failure::UpstreamProtocol)
    }

    /// Write all that waits; a client that does not take it within `patience` is given up.
    fn poll_flush(&self, patience: Duration, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let wire = &mut *self.wire();
        match wire.output.poll_write(&mut wire.io, cx) {
            Poll::Ready(written) => {
                wire.writing.clear();
                Poll::Ready(written.map_err(|_| Failure::ClientGone))
            }
            Poll::Pending => {
                wire.writing.ensure(patience);
                wire.writing.poll_expired(cx).map(|()| Err(Failure::ClientGone))
            }
        }
    }

    /// Take note that all that was queued is written. Returns whether that was the whole response.
    fn finish(&self) -> bool {
        let state = &mut self.wire().state;
        let is_whole = state.allows(Event::Written);
        if is_whole {
            state.on(Event::Written);
        }
        is_whole
    }

    /// Give the connection up so that the client notices that something is missing. It notices by a close, which leaves
    /// it what was sent, unless that would look like the end of a response that has no length.
    fn abort(&self, failure: Failure) {
        let wire = &mut *self.wire();
        wire.state.on(Event::Break);
        if wire.encoder == Encoder::UntilClose || failure == Failure::ClientGone {
            wire.io.reset_on_close();
        }
    }
}

impl Interim for Transport {
    fn send(&self, status: StatusCode, headers: HeaderMap) {
        let wire = &mut *self.wire();
        if wire.state.allows(Event::Interim) {
            encode::interim(status, &headers, None, wire.output.buffer());
        }
    }
}
