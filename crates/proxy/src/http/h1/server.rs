//! A client's connection over HTTP/1: requests one after another (RFC 9112 §9).

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::header::UPGRADE;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use tidegate_core::failure::Failure;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, timeout};

use super::Malformed;
use super::client::Upgraded;
use super::encode::{self, Exchange};
use super::framing::{Decoded, Decoder, Encoder};
use super::output::Output;
use super::request::{self, RequestHead};
use crate::deadline::Deadline;
use crate::http::body::{Body, Frame, NextFrame};
use crate::http::interim::{Interim, InterimSink};
use crate::io::Io;
use crate::listen::client::Client;
use crate::record::Record;
use crate::stack::{self, Answer};
use crate::tunnel;

/// Size of a read while a body comes in.
const BODY_READ: usize = 64 * 1024;
/// Most that is read ahead of the request that is being answered.
const READ_AHEAD: usize = 64 * 1024;
/// Most that is read and dropped so that a closing client gets to see its answer.
const LINGER_BYTES: usize = 1024 * 1024;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A connection's stream and what is read and written on it.
struct Transport {
    io: Io,
    input: BytesMut,
    output: Output,
    scanned: usize,
    decoder: Decoder,
    deadline: Deadline,
    /// The client waits for `100 Continue` before it sends its body.
    owes_continue: bool,
    /// The final response has begun, so no interim one may be sent.
    answered: bool,
}

type Shared = Rc<RefCell<Transport>>;

/// Serve a connection until it ends. `input` was read already.
pub async fn serve(client: Rc<Client>, io: Io, input: BytesMut) {
    let transport = Rc::new(RefCell::new(Transport {
        io,
        input,
        output: Output::default(),
        scanned: 0,
        decoder: Decoder::Done,
        deadline: Deadline::default(),
        owes_continue: false,
        answered: false,
    }));
    let mut first = true;
    loop {
        let read = read_head(&client, &transport, first).await;
        first = false;
        let goes_on = match read {
            Ok(Some(head)) => Box::pin(exchange(&client, &transport, head)).await,
            Ok(None) => return,
            Err(failure) => Box::pin(refuse(&client, &transport, failure)).await,
        };
        match goes_on {
            Next::Request => {}
            Next::Close => return linger(transport).await,
            Next::Switch(upgraded, record) => {
                return switch(transport, *upgraded, *record).await;
            }
            Next::Abort => return,
        }
    }
}

/// What happens to a connection after a request.
enum Next {
    /// The next request is awaited.
    Request,
    /// It is closed once the client has had the chance to read the answer.
    Close,
    /// It carries another protocol from now on.
    Switch(Box<Upgraded>, Box<Record>),
    /// It is broken, or over: dropped.
    Abort,
}

/// Wait for a request's head; nothing if the client closed, was idle too long, or the gateway drains.
async fn read_head(
    client: &Client,
    transport: &Shared,
    first: bool,
) -> Result<Option<RequestHead>, Failure> {
    {
        let t = &mut *transport.borrow_mut();
        t.answered = false;
        t.output.shrink();
        if t.input.is_empty() {
            t.input = BytesMut::new();
        }
        let timeouts = &client.settings.plan.timeouts;
        let waits = t.input.is_empty() && !first;
        let timeout = if waits { timeouts.idle } else { timeouts.header_read };
        t.deadline.set(Instant::now(), timeout.duration());
    }
    poll_fn(|cx| transport.borrow_mut().poll_head(client, cx)).await
}

impl Transport {
    fn poll_head(
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
                    Err(malformed) => return Poll::Ready(Err(client_failure(malformed))),
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
            match self.io.poll_read_buf(cx, &mut self.input) {
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
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Poll::Ready(Some(Err(_))) = self.poll_write(cx) {
            return Poll::Ready(());
        }
        while self.decoder.is_done() && self.input.len() < READ_AHEAD {
            self.input.reserve(1024);
            match ready!(self.io.poll_read_buf(cx, &mut self.input)) {
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
    fn skip_arrived_body(&mut self) {
        while let Ok(Decoded::Frame(_)) = self.decoder.decode(&mut self.input) {}
    }
}

/// The body of a client's request.
pub struct RequestBody {
    transport: Shared,
    client: Rc<Client>,
}

impl RequestBody {
    /// The next piece.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        self.transport.borrow_mut().poll_body(&self.client, cx)
    }

    /// Whether all of it was read.
    pub fn is_end(&self) -> bool {
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

/// What of a request decides how its answer is sent.
struct Asked {
    method: Method,
    minor_version: u8,
    keep_alive: bool,
    /// Whether it was read at all.
    read: bool,
}

/// Answer one request.
async fn exchange(client: &Rc<Client>, transport: &Shared, head: RequestHead) -> Next {
    let asked = Asked {
        method: head.method.clone(),
        minor_version: head.minor_version,
        keep_alive: !head.control.close && (head.minor_version == 1 || head.control.keep_alive),
        read: true,
    };
    let interim: InterimSink = match head.minor_version {
        0 => None,
        _ => Some(transport.clone() as Rc<dyn Interim>),
    };
    let upgrade = head.control.upgrade.clone();
    let request = begin(client, transport, head);
    let answered = {
        let mut answering = pin!(stack::handle(client, request, upgrade.clone(), interim));
        poll_fn(|cx| match answering.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => transport.borrow_mut().poll_gone(cx).map(|()| None),
        })
        .await
    };
    match answered {
        Some(answer) => respond(client, transport, asked, answer).await,
        None => Next::Abort,
    }
}

fn begin(client: &Rc<Client>, transport: &Shared, head: RequestHead) -> Request<Body> {
    let t = &mut *transport.borrow_mut();
    t.decoder = head.decoder;
    let mut request = Request::new(Body::Empty);
    if !t.decoder.is_done() {
        // RFC 9110 §10.1.1: HTTP/1.0 knows no interim responses.
        t.owes_continue =
            head.control.expect_continue && head.minor_version == 1 && t.input.is_empty();
        t.deadline.set(Instant::now(), client.settings.plan.timeouts.request_body.duration());
        *request.body_mut() =
            Body::H1Request(RequestBody { transport: transport.clone(), client: client.clone() });
    }
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.version_mut() =
        if head.minor_version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    *request.headers_mut() = head.headers;
    request
}

/// Answer what could not be read as a request.
async fn refuse(client: &Rc<Client>, transport: &Shared, failure: Failure) -> Next {
    let answer = stack::refuse(client, failure);
    if failure == Failure::ClientGone {
        return Next::Abort;
    }
    let asked = Asked { method: Method::GET, minor_version: 1, keep_alive: false, read: false };
    match respond(client, transport, asked, answer).await {
        Next::Request => Next::Close,
        next => next,
    }
}

/// Send an answer.
async fn respond(client: &Rc<Client>, transport: &Shared, asked: Asked, answer: Answer) -> Next {
    let Answer { response, mut record } = answer;
    let (head, body) = response.into_parts();
    if let Body::Upgraded(upgraded) = body {
        let t = &mut *transport.borrow_mut();
        let protocol = head.headers.get(UPGRADE).cloned();
        let mut headers = head.headers;
        headers.remove(UPGRADE);
        encode::interim(head.status, &headers, protocol.as_ref(), t.output.buffer());
        return Next::Switch(upgraded, Box::new(record));
    }
    let (mut encoder, keep_alive) = {
        let t = &mut *transport.borrow_mut();
        t.answered = true;
        if !t.owes_continue {
            t.skip_arrived_body();
        }
        let exchange = Exchange {
            method: &asked.method,
            minor_version: asked.minor_version,
            // A request that is still coming in may end before its streamed response does.
            keep_alive: asked.keep_alive
                && (t.decoder.is_done() || !body.is_end())
                && !client.is_draining(),
            worker: &client.worker,
        };
        encode::response(&head, &body, &exchange, t.output.buffer())
    };
    match write_body(client, transport, &mut encoder, body, &mut record).await {
        Ok(()) => {
            record.complete();
            let t = transport.borrow();
            let over = asked.read && t.decoder.is_done();
            match (over, keep_alive) {
                (true, true) => Next::Request,
                // Nothing is left unread that would turn the close into a reset.
                (true, false) if t.input.is_empty() && matches!(t.io, Io::Plain(_)) => Next::Abort,
                _ => Next::Close,
            }
        }
        Err(failure) => {
            record.broken(failure);
            // A close would look like the end of a response that has no length.
            transport.borrow().io.reset_on_close();
            Next::Abort
        }
    }
}

/// Write what waits and the whole of `body` behind it.
async fn write_body(
    client: &Client,
    transport: &Shared,
    encoder: &mut Encoder,
    mut body: Body,
    record: &mut Record,
) -> Result<(), Failure> {
    let mut done = false;
    let mut stalled = false;
    poll_fn(|cx| {
        loop {
            let mut waiting = false;
            while !done && !waiting && transport.borrow().output.takes_more() {
                let frame = body.poll_frame(cx);
                let output = &mut transport.borrow_mut().output;
                let encoded = match frame {
                    Poll::Pending => {
                        waiting = true;
                        Ok(())
                    }
                    Poll::Ready(Some(Ok(Frame::Data(data)))) => {
                        record.sent(data.len());
                        encoder.data(data, output)
                    }
                    Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => {
                        done = true;
                        encoder.end(Some(&trailers), output)
                    }
                    Poll::Ready(None) => {
                        done = true;
                        encoder.end(None, output)
                    }
                    Poll::Ready(Some(Err(failure))) => return Poll::Ready(Err(failure)),
                };
                encoded.map_err(|_| Failure::UpstreamProtocol)?;
            }
            let t = &mut *transport.borrow_mut();
            match t.output.poll_write(&mut t.io, cx) {
                Poll::Ready(Ok(())) if done => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) if waiting => {
                    stalled = false;
                    return t.poll_gone(cx).map(|()| Err(Failure::ClientGone));
                }
                Poll::Ready(Ok(())) => stalled = false,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Failure::ClientGone)),
                Poll::Pending => {
                    if !stalled {
                        stalled = true;
                        let timeout = client.settings.plan.timeouts.write.duration();
                        t.deadline.set(Instant::now(), timeout);
                    }
                    ready!(t.deadline.poll_expired(cx));
                    return Poll::Ready(Err(Failure::ClientGone));
                }
            }
        }
    })
    .await
}

/// Carry the other protocol that the connection was switched to (RFC 9110 §7.8).
async fn switch(transport: Shared, upgraded: Upgraded, mut record: Record) {
    let Some(mut t) = Rc::into_inner(transport).map(RefCell::into_inner) else { return };
    // Earlier answers may fill the way to a client that does not read.
    match timeout(upgraded.idle, poll_fn(|cx| t.output.poll_write(&mut t.io, cx))).await {
        Ok(Ok(())) => {
            let carried = tunnel::run(t.io, t.input, upgraded).await;
            record.sent(usize::try_from(carried).unwrap_or(usize::MAX));
            record.complete();
        }
        _ => record.broken(Failure::ClientGone),
    }
}

/// Close so that the client gets to read the answer: say that nothing more comes, then read on
/// for a while (RFC 9112 §9.6).
async fn linger(transport: Shared) {
    let Some(mut t) = Rc::into_inner(transport).map(RefCell::into_inner) else { return };
    t.deadline.set(Instant::now(), LINGER_TIME);
    let (mut said, mut left) = (false, LINGER_BYTES);
    poll_fn(|cx| {
        loop {
            if !said {
                match Pin::new(&mut t.io).poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => said = true,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    // TLS says it in a record, for which there may be no room.
                    Poll::Pending => return t.deadline.poll_expired(cx),
                }
            }
            t.input.clear();
            match t.io.poll_read_through(cx, &mut t.input) {
                Poll::Ready(Ok(count @ 1..)) if count < left => left -= count,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return t.deadline.poll_expired(cx),
            }
        }
    })
    .await;
}

fn client_failure(malformed: Malformed) -> Failure {
    match malformed {
        Malformed::Syntax => Failure::MalformedRequest,
        Malformed::UriTooLong => Failure::UriTooLong,
        Malformed::HeaderTooLarge => Failure::HeaderTooLarge,
        Malformed::Version => Failure::VersionNotSupported,
        Malformed::TransferCoding => Failure::TransferCoding,
        Malformed::Expectation => Failure::ExpectationFailed,
    }
}
