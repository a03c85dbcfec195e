//! A client's connection over HTTP/1: requests one after another (RFC 9112 §9).

pub mod transport;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::header::UPGRADE;
use http::{HeaderMap, Method, Response, Version};
use tidegate_core::failure::Failure;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, timeout};

use self::transport::{RequestBody, Shared, Transport};
use crate::call::{Call, Transaction};
use crate::client::Client;
use crate::http::body::{Body, Duplex, Frame};
use crate::http::h1::encode;
use crate::http::h1::framing::{Decoder, Encoder};
use crate::http::h1::request::RequestHead;
use crate::http::interim::{Interim, InterimSink};
use crate::net::io::{Io, Prefixed};
use crate::serve::tunnel;
use crate::stack;

/// Most that is read and dropped so that a closing client gets to see its answer.
const LINGER_BYTES: usize = 1024 * 1024;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// Serve a connection until it ends. `input` was read already.
pub async fn serve(client: Rc<Client>, io: Io, input: BytesMut) {
    let transport = Rc::new(RefCell::new(Transport::new(io, input)));
    let mut first = true;
    loop {
        transport.borrow_mut().await_head(&client.settings.plan.timeouts, first);
        first = false;
        // The head stays where it is: it is large, and whoever answers the request borrows it.
        let mut read = poll_fn(|cx| transport.borrow_mut().poll_head(&client, cx)).await;
        let goes_on = match &mut read {
            Ok(Some(head)) => Box::pin(exchange(&client, &transport, head)).await,
            Ok(None) => return,
            Err(failure) => Box::pin(refuse(&client, &transport, *failure)).await,
        };
        match goes_on {
            Next::Request => {}
            Next::Close => return Box::pin(linger(transport)).await,
            Next::Switch(upgraded, transaction) => {
                return Box::pin(switch(transport, upgraded, *transaction)).await;
            }
            Next::Abort => return,
        }
    }
}

/// What happens to a connection after a request.
enum Next<'a> {
    /// The next request is awaited.
    Request,
    /// It is closed once the client has had the chance to read the answer.
    Close,
    /// It carries another protocol from now on.
    Switch(Box<dyn Duplex>, Box<Transaction<'a>>),
    /// It is broken, or over: dropped.
    Abort,
}

/// What of a request decides how its answer is sent.
struct Asked {
    method: Method,
    version: Version,
    keep_alive: bool,
    /// Whether it was read at all.
    read: bool,
}

impl Asked {
    fn of(head: &RequestHead) -> Self {
        let RequestHead { parts, control, .. } = head;
        let lasts = parts.version == Version::HTTP_11 || control.keep_alive;
        // What follows a CONNECT, which is always refused, may be meant for the tunnel: no request.
        let keep_alive = lasts && !control.close && parts.method != Method::CONNECT;
        Self { method: parts.method.clone(), version: parts.version, keep_alive, read: true }
    }

    /// What could not be read as a request.
    const UNREAD: Self =
        Self { method: Method::GET, version: Version::HTTP_11, keep_alive: false, read: false };
}

/// Answer one request.
async fn exchange<'a>(
    client: &'a Rc<Client>,
    transport: &Shared,
    head: &mut RequestHead,
) -> Next<'a> {
    let asked = Asked::of(head);
    let snapshot = client.local.snapshot();
    let transaction = Transaction::begin(client, &snapshot, &mut head.parts);
    let mut body = receive(client, transport, head, &transaction);
    let interim: InterimSink = match asked.version {
        Version::HTTP_10 => None,
        _ => Some(transport.clone() as Rc<dyn Interim>),
    };
    let answered = {
        let (head, upgrade) = (&mut head.parts, head.control.upgrade.as_ref());
        let mut call =
            Call::new(client, &snapshot, &transaction, head, &mut body, upgrade, &interim);
        let mut answering = pin!(stack::answer(&mut call));
        poll_fn(|cx| match answering.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => transport.borrow_mut().poll_gone(cx).map(|()| None),
        })
        .await
    };
    // The answer may take long, and needs nothing of them.
    drop(snapshot);
    head.parts.headers = HeaderMap::new();
    let begun = match answered {
        Some(response) => begin_answer(client, transport, &asked, response),
        None => return Next::Abort,
    };
    match begun {
        Ok(mut answer) => send_answer(client, transport, &asked, &mut answer, &transaction).await,
        Err(upgraded) => Next::Switch(upgraded, Box::new(transaction)),
    }
}

/// The body of a request whose head was read.
fn receive(
    client: &Rc<Client>,
    transport: &Shared,
    head: &mut RequestHead,
    transaction: &Transaction<'_>,
) -> Body {
    let t = &mut *transport.borrow_mut();
    t.decoder = std::mem::replace(&mut head.decoder, Decoder::Done);
    if t.decoder.is_done() {
        return Body::Empty;
    }
    // RFC 9110 §10.1.1: HTTP/1.0 knows no interim responses.
    t.owes_continue = head.control.expect_continue
        && head.parts.version != Version::HTTP_10
        && t.input.is_empty();
    t.deadline.set(transaction.began(), client.settings.plan.timeouts.request_body.duration());
    Body::stream(RequestBody::new(transport.clone(), client.clone()))
}

/// Answer what could not be read as a request.
async fn refuse<'a>(client: &'a Rc<Client>, transport: &Shared, failure: Failure) -> Next<'a> {
    let (response, transaction) = stack::refuse(client, failure);
    if failure == Failure::ClientGone {
        return Next::Abort;
    }
    let Ok(mut answer) = begin_answer(client, transport, &Asked::UNREAD, response) else {
        return Next::Abort;
    };
    match send_answer(client, transport, &Asked::UNREAD, &mut answer, &transaction).await {
        Next::Request => Next::Close,
        next => next,
    }
}

/// An answer whose head waits to be written.
struct Answer {
    body: Body,
    encoder: Encoder,
    /// Whether the connection stays open after it.
    keep_alive: bool,
}

/// Put the head of an answer into the output; what goes on behind status 101 is another protocol.
fn begin_answer(
    client: &Client,
    transport: &Shared,
    asked: &Asked,
    response: Response<Body>,
) -> Result<Answer, Box<dyn Duplex>> {
    let t = &mut *transport.borrow_mut();
    let (mut head, body) = response.into_parts();
    if let Body::Upgraded(upgraded) = body {
        let protocol = head.headers.remove(UPGRADE);
        encode::interim(head.status, &head.headers, protocol.as_ref(), t.output.buffer());
        return Err(upgraded);
    }
    t.answered = true;
    if !t.owes_continue {
        t.skip_arrived_body();
    }
    let context = encode::ResponseContext {
        method: &asked.method,
        version: asked.version,
        // A request that is still coming in may end before its streamed response does.
        keep_alive: asked.keep_alive
            && (t.decoder.is_done() || !body.is_end())
            && !client.is_draining(),
        date: &|| client.local.date(),
    };
    let (encoder, keep_alive) = encode::response(&head, &body, &context, t.output.buffer());
    Ok(Answer { body, encoder, keep_alive })
}

/// Send an answer that has begun, to its end.
async fn send_answer(
    client: &Client,
    transport: &Shared,
    asked: &Asked,
    answer: &mut Answer,
    transaction: &Transaction<'_>,
) -> Next<'static> {
    let written = write_body(client, transport, answer, transaction).await;
    let now = Instant::now();
    match written {
        Ok(()) => {
            transaction.complete(now);
            let t = &mut *transport.borrow_mut();
            t.quiet_since = now;
            let over = asked.read && t.decoder.is_done();
            match (over, answer.keep_alive) {
                (true, true) => Next::Request,
                // Nothing is left unread that would turn the close into a reset.
                (true, false) if t.input.is_empty() && matches!(t.io, Io::Plain(_)) => Next::Abort,
                _ => Next::Close,
            }
        }
        Err(failure) => {
            transaction.broken(failure, now);
            // A close would look like the end of a response that has no length.
            transport.borrow().io.reset_on_close();
            Next::Abort
        }
    }
}

/// Write what waits and the whole of the body behind it.
async fn write_body(
    client: &Client,
    transport: &Shared,
    answer: &mut Answer,
    transaction: &Transaction<'_>,
) -> Result<(), Failure> {
    let Answer { body, encoder, .. } = answer;
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
                        transaction.sent(data.len() as u64);
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
async fn switch(transport: Shared, upgraded: Box<dyn Duplex>, transaction: Transaction<'_>) {
    let Some(mut t) = Rc::into_inner(transport).map(RefCell::into_inner) else { return };
    // Earlier answers may fill the way to a client that does not read.
    match timeout(upgraded.idle(), poll_fn(|cx| t.output.poll_write(&mut t.io, cx))).await {
        Ok(Ok(())) => {
            let carried = tunnel::run(Prefixed::new(t.input, t.io), upgraded).await;
            transaction.sent(carried);
            transaction.complete(Instant::now());
        }
        Ok(Err(_)) | Err(_) => transaction.broken(Failure::ClientGone, Instant::now()),
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
