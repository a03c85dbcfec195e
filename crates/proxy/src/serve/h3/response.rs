//! Sending responses.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::{HeaderMap, Method, Response, StatusCode};
use tidegate_core::failure::Failure;
use tokio::task::yield_now;

use crate::client::Client;
use crate::http::body::Body;
use crate::http::h3::code::Code;
use crate::http::h3::duplex::TunnelStream;
use crate::http::h3::pump::Pump;
use crate::http::h3::receiving::Receiving;
use crate::http::h3::sending::Sending;
use crate::http::interim::{Interim, InterimSink};
use crate::http::stopped::Stopped;
use crate::serve::request::Reply;
use crate::serve::{response_head, tunnel};

/// Our half of a stream, which interim and final responses are sent on.
pub type SendHalf = RefCell<Sending>;

impl Interim for SendHalf {
    fn send(&self, status: StatusCode, headers: HeaderMap) {
        // It is flushed while the final response is awaited.
        self.borrow_mut().push_response(status, &headers);
    }
}

/// Sends the response to one request.
pub struct ResponseSender<'a> {
    client: &'a Client,
    send_half: Rc<SendHalf>,
    method: Method,
    /// The client's half of the stream, where that may carry another protocol.
    incoming: Option<Receiving>,
}

impl<'a> ResponseSender<'a> {
    /// Send the response to a request of this method.
    pub fn new(client: &'a Client, send_half: Rc<SendHalf>, method: Method) -> Self {
        Self { client, send_half, method, incoming: None }
    }

    /// The stream may carry another protocol after the head of the response, where this is the client's half of it.
    pub fn may_switch(&mut self, incoming: Option<Receiving>) {
        self.incoming = incoming;
    }
}

impl Reply for ResponseSender<'_> {
    fn interim(&self) -> InterimSink {
        Some(self.send_half.clone())
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut stream = self.send_half.borrow_mut();
        match stream.poll_flush(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ => stream.poll_gone(cx),
        }
    }

    async fn send(&mut self, response: &mut Response<Body>, sent: &mut u64) -> Result<(), Failure> {
        let (mut head, body) = std::mem::take(response).into_parts();
        let bodiless = response_head::complete(&mut head, &body, &self.method, self.client);
        self.send_half.borrow_mut().push_response(head.status, &head.headers);
        let body = match body {
            Body::Upgraded(endpoint) => {
                let Some(incoming) = self.incoming.take() else { return Err(Failure::Internal) };
                let mut client = TunnelStream::new(incoming, self.send_half.clone());
                // How it ends is up to both sides; the response was complete with its head.
                let _ = Box::pin(tunnel::run(&mut client, endpoint, sent)).await;
                return Ok(());
            }
            _ if bodiless => Body::Empty,
            body => body,
        };
        let mut pump = Pump::new(body, self.client.settings.plan.timeouts.write.duration());
        let pumped = poll_fn(|cx| pump.poll(&mut self.send_half.borrow_mut(), cx)).await;
        *sent += pump.sent;
        match pumped {
            Ok(()) => Ok(()),
            Err(Stopped::Peer) => Err(Failure::ClientGone),
            Err(Stopped::Told(failure)) => Err(failure),
            Err(Stopped::Stalled) => {
                self.send_half.borrow_mut().reset(Code::REQUEST_CANCELLED);
                Err(Failure::ClientGone)
            }
            Err(Stopped::Source(failure)) => {
                // A reset takes back what the connection's task has not sent yet: let it send what came first.
                yield_now().await;
                self.send_half.borrow_mut().reset(Code::INTERNAL_ERROR);
                Err(failure)
            }
        }
    }
}
