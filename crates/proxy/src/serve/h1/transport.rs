//! A client's connection as bytes: what is read and written on it, and until when.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};
use tidegate_core::failure::Failure;
use tidegate_core::plan;
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use crate::client::Client;
use crate::http::body::{NextFrame, Source};
use crate::http::h1::Malformed;
use crate::http::h1::encode;
use crate::http::h1::framing::{Decoded, Decoder};
use crate::http::h1::output::Output;
use crate::http::h1::request::{self, RequestHead};
use crate::http::interim::Interim;
use crate::net::deadline::Deadline;
use crate::net::io::Io;

/// Size of a read while a body comes in.
const BODY_READ: usize = 64 * 1024;
/// Once so much was read ahead of the request that is being answered, no more is.
const READ_AHEAD: usize = 64 * 1024;

/// A connection's stream and what is read and written on it.
pub struct Transport {
    /// The stream.
    pub io: Io,
    /// What was read and not yet taken.
    pub input: BytesMut,
    /// What is to be written.
    pub output: Output,
    /// Reads the request's body.
    pub decoder: Decoder,
    /// Until when whatever is awaited must come.
    pub deadline: Deadline,
    /// When it was opened, or its last request was answered.
    pub quiet_since: Instant,
    /// The client waits for `100 Continue` before it sends its body.
    pub owes_continue: bool,
    /// The final response has begun, so no interim one may be sent.
    pub answered: bool,
    scanned: usize,
}

/// Shared by the connection and the body of the request that is read from it.
pub type Shared = Rc<RefCell<Transport>>;

impl Transport {
    /// The stream of a connection, of which `input` was read already.
    pub fn new(io: Io, input: BytesMut) -> Self {
        Self {
            io,
            input,
            output: Output::default(),
            scanned: 0,
            decoder: Decoder::Done,
            deadline: Deadline::default(),
            quiet_since: Instant::now(),
            owes_continue: false,
            answered: false,
        }
    }

    /// Get ready for the next request. The `first` has to come soon; before others the client may be idle.
    pub fn await_head(&mut self, timeouts: &plan::ListenerTimeouts, first: bool) {
        self.answered = false;
        self.output.shrink();
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        let waits = self.input.is_empty() && !first;
        let timeout = if waits { timeouts.idle } else { timeouts.header_read };
        self.deadline.set(self.quiet_since, timeout.duration());
    }

    /// The head of the next request; nothing if the client closed, was idle too long, or the gateway drains.
    pub fn poll_head(
        &mut self,
        client: &Client,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<RequestHead>, Failure>> {
        loop {
            let was_idle = self.input.is_empty();
            if !was_idle {
                let limits = client.settings.head_limits;
                match request::read(&mut self.input, &mut self.scanned, limits) {
                    Ok(None) => {}
                    Ok(head) => return Poll::Ready(Ok(head)),
                    Err(malformed) => return Poll::Ready(Err(failure_of(malformed))),
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
                        self.deadline.clear();
                    }
                }
                Poll::Pending if was_idle => {
                    if client.poll_draining(cx) {
                        return Poll::Ready(Ok(None));
                    }
                    ready!(self.deadline.poll_expired(cx));
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending => {
                    if !self.deadline.is_set() {
                        let timeout = client.settings.plan.timeouts.header_read.duration();
                        self.deadline.set(Instant::now(), timeout);
                    }
                    ready!(self.deadline.poll_expired(cx));
                    return Poll::Ready(Err(Failure::HeaderTimeout));
                }
            }
        }
    }

    /// Read on behalf of whoever takes the request's body.
    fn poll_body(&mut self, client: &Client, cx: &mut Context<'_>) -> NextFrame {
        if self.owes_continue && !self.answered {
            self.owes_continue = false;
            self.output.buffer().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if !self.answered && self.poll_write(cx)?.is_pending() {
            // Interim responses wait for room; the body does not wait for them.
        }
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Decoded::Frame(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(Decoded::End) => return Poll::Ready(None),
                Ok(Decoded::More) => {}
                Err(_) => return self.fail_body(Failure::MalformedRequest),
            }
            let wanted = self.decoder.remaining().unwrap_or(u64::MAX).min(BODY_READ as u64);
            self.input.reserve(usize::try_from(wanted).unwrap_or(BODY_READ).max(1024));
            match poll_read_buf(Pin::new(&mut self.io), cx, &mut self.input) {
                Poll::Ready(Ok(1..)) => {
                    let timeout = client.settings.plan.timeouts.request_body.duration();
                    self.deadline.set(Instant::now(), timeout);
                }
                Poll::Ready(_) => return self.fail_body(Failure::ClientGone),
                Poll::Pending => {
                    ready!(self.deadline.poll_expired(cx));
                    return self.fail_body(Failure::BodyTimeout);
                }
            }
        }
    }

    fn fail_body(&mut self, failure: Failure) -> NextFrame {
        Poll::Ready(Some(Err(failure)))
    }

    /// While an answer is awaited: write interim responses, and notice a client that leaves.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Poll::Ready(Some(Err(_))) = self.poll_write(cx) {
            return Poll::Ready(());
        }
        while self.decoder.is_done() && self.input.len() < READ_AHEAD {
            match ready!(self.io.poll_read_through(cx, &mut self.input)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(), Failure>>> {
        if self.output.is_empty() {
            return Poll::Ready(None);
        }
        self.output.poll_write(&mut self.io, cx).map(|written| match written {
            Ok(()) => None,
            Err(_) => Some(Err(Failure::ClientGone)),
        })
    }

    /// Take in what has arrived of a body that nobody reads, so that the connection can go on.
    pub fn skip_arrived_body(&mut self) {
        while let Ok(Decoded::Frame(_)) = self.decoder.decode(&mut self.input) {}
    }
}

/// The body of a client's request.
pub struct RequestBody {
    transport: Shared,
    client: Rc<Client>,
}

impl RequestBody {
    /// What `client` sends on `transport`.
    pub fn new(transport: Shared, client: Rc<Client>) -> Self {
        Self { transport, client }
    }
}

impl Source for RequestBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        self.transport.borrow_mut().poll_body(&self.client, cx)
    }

    fn is_end(&self) -> bool {
        self.transport.borrow().decoder.is_done()
    }
}

impl Interim for RefCell<Transport> {
    fn send(&self, status: StatusCode, headers: HeaderMap) {
        let mut transport = self.borrow_mut();
        if !transport.answered {
            encode::interim(status, &headers, None, transport.output.buffer());
        }
    }
}

fn failure_of(malformed: Malformed) -> Failure {
    match malformed {
        Malformed::Syntax => Failure::MalformedRequest,
        Malformed::UriTooLong => Failure::UriTooLong,
        Malformed::HeaderTooLarge => Failure::HeaderTooLarge,
        Malformed::Version => Failure::VersionNotSupported,
        Malformed::TransferCoding => Failure::TransferCoding,
        Malformed::Expectation => Failure::ExpectationFailed,
    }
}
