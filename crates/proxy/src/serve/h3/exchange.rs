//! One request on a stream of its own, and its response.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Method, Version};
use quinn::{Connection, RecvStream, SendStream};
use tidegate_core::failure::Failure;

use super::early::Early;
use super::priorities::Priorities;
use super::response::{ResponseSender, SendHalf};
use crate::client::Client;
use crate::http::body::Body;
use crate::http::failures::Failures;
use crate::http::h3::code::Code;
use crate::http::h3::frame::{Carrier, Frames, Peer, Piece};
use crate::http::h3::head::{self, Protocol, Refused};
use crate::http::h3::incoming::Incoming;
use crate::http::h3::receiving::{Lost, Receiving};
use crate::http::h3::sending::Sending;
use crate::http::partial_head::PartialHead;
use crate::net::deadline::Deadline;
use crate::serve::request;
use crate::serve::request_head::{self, Rest};

/// Serve the request that comes on a stream. Returns when the client has all of the response, or wants no more of it.
pub async fn serve(
    client: Rc<Client>,
    connection: Connection,
    priorities: &Priorities,
    early: Option<Early>,
    (send, recv): (SendStream, RecvStream),
) {
    let carrier = Carrier::Request { section: client.settings.head_limits.bytes as u64 };
    let stream = Receiving::new(connection, recv, Bytes::new(), Frames::new(Peer::Client, carrier));
    let send_half = Rc::new(RefCell::new(Sending::new(send)));
    // Boxed, because tokio moves a task's future about, and so that little is left while the last bytes are on their way.
    Box::pin(answer(&client, priorities, early, stream, &send_half)).await;
    priorities.end(send_half.borrow().index());
    // A connection that were closed before would take back what is still on its way.
    poll_fn(|cx| send_half.borrow_mut().poll_gone(cx)).await;
}

async fn answer(
    client: &Client,
    priorities: &Priorities,
    early: Option<Early>,
    mut stream: Receiving,
    send_half: &Rc<SendHalf>,
) {
    let mut head = match read_head(client, &mut stream).await {
        Ok(head) => head,
        Err(failure) => {
            let known = PartialHead { version: Some(Version::HTTP_3), ..PartialHead::default() };
            let mut reply = ResponseSender::new(client, send_half.clone(), Method::GET);
            request::refuse(client, failure, &known, &mut reply).await;
            return;
        }
    };
    priorities.begin(send_half.borrow().index(), &head.headers, send_half);
    let mut reply = ResponseSender::new(client, send_half.clone(), head.method.clone());
    let admitted = match early {
        Some(early) => Box::pin(early.admit(client, &mut head)).await,
        None => Ok(()),
    };
    match admitted.and_then(|()| translate(client, &mut head, stream, send_half)) {
        Ok(Rest { mut content, upgrade, incoming }) => {
            reply.may_switch(incoming);
            request::serve(client, &mut head, &mut content, upgrade, &mut reply).await
        }
        Err(failure) => {
            let known = PartialHead::from(&head);
            request::refuse(client, failure, &known, &mut reply).await
        }
    };
}

/// The head of the request that comes on `stream`.
async fn read_head(client: &Client, stream: &mut Receiving) -> Result<Parts, Failure> {
    let limit = client.settings.head_limits.bytes;
    let mut deadline = Deadline::default();
    deadline.ensure(client.settings.plan.timeouts.header_read.duration());
    let piece = poll_fn(|cx| match stream.poll_piece(cx) {
        Poll::Ready(piece) => Poll::Ready(Some(piece)),
        Poll::Pending => deadline.poll_expired(cx).map(|()| None),
    });
    match piece.await {
        None => Err(Failure::HeaderTimeout),
        Some(Ok(Some(Piece::Section(section)))) => {
            head::request(&section, limit).map_err(|refused| match refused {
                Refused::Malformed(malformed) => malformed.of_request(),
                Refused::Undecodable(code) => {
                    stream.end_all(code);
                    Failure::MalformedRequest
                }
            })
        }
        Some(Ok(Some(Piece::Data(_) | Piece::Control(..)))) => {
            // RFC 9114 §4.1: content before its head.
            stream.end_all(Code::FRAME_UNEXPECTED);
            Err(Failure::MalformedRequest)
        }
        Some(Ok(None)) => Err(Failure::MalformedRequest),
        Some(Err(Lost::TooLarge)) => Err(Failure::HeaderTooLarge),
        Some(Err(Lost::Breach)) => Err(Failure::MalformedRequest),
        Some(Err(Lost::Reset(_) | Lost::Gone)) => Err(Failure::ClientGone),
    }
}

/// Bring `head` into the form that the stack reads. Returns what comes on `stream`.
fn translate(
    client: &Client,
    head: &mut Parts,
    stream: Receiving,
    send_half: &SendHalf,
) -> Result<Rest<Receiving>, Failure> {
    let ends = stream.is_end();
    let protocol = head.extensions.remove::<Protocol>();
    let protocol = protocol.as_ref().map(|Protocol(protocol)| &protocol[..]);
    if let Some(protocol) = request_head::complete(head, ends, protocol, client, send_half)? {
        return Ok(Rest::tunnel(protocol, stream));
    }
    if ends {
        return Ok(Rest::content(Body::Empty));
    }
    let length = head.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let idle = client.settings.plan.timeouts.request_body.duration();
    let limit = client.settings.head_limits.bytes;
    let content = Incoming::new(stream, length, limit, idle, Failures::OF_REQUEST);
    Ok(Rest::content(Body::stream(content)))
}
