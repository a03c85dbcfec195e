//! Sending responses.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use tidegate_core::failure::Failure;
use tokio::task::yield_now;

use crate::client::Client;
use crate::http::body::Body;
use crate::http::h2::TunnelStream;
use crate::http::h2::pump::Pump;
use crate::http::interim::{Interim, InterimSink};
use crate::http::stopped::Stopped;
use crate::serve::request::Reply;
use crate::serve::{response_head, tunnel};

/// Our half of a stream, which interim and final responses are sent on.
pub type SendHalf = RefCell<SendResponse<Bytes>>;

impl Interim for SendHalf {
    fn send(&self, status: StatusCode, headers: HeaderMap) {
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Err(error) = self.borrow_mut().send_informational(response) {
            tracing::debug!(%error, "an interim response was not sent");
        }
    }
}

/// Sends the response to one request.
pub struct ResponseSender<'a> {
    client: &'a Client,
    send_half: Rc<SendHalf>,
    method: Method,
    /// The client's half of the stream, where that may carry another protocol.
    incoming: Option<RecvStream>,
}

impl<'a> ResponseSender<'a> {
    /// Send the response to a request of this method.
    pub fn new(client: &'a Client, send_half: Rc<SendHalf>, method: Method) -> Self {
        Self { client, send_half, method, incoming: None }
    }

    /// The stream may carry another protocol after the head of the response, where this is the client's half of it.
    pub fn may_switch(&mut self, incoming: Option<RecvStream>) {
        self.incoming = incoming;
    }

    /// Send the head of a response. Returns what follows it, with our half of the stream, if something does.
    fn send_head(
        &self,
        response: Response<Body>,
    ) -> Result<Option<(SendStream<Bytes>, Body)>, Failure> {
        let (mut head, body) = response.into_parts();
        let bodiless = response_head::complete(&mut head, &body, &self.method, self.client);
        head.version = Version::HTTP_2;
        let response = Response::from_parts(head, ());
        let sent = self.send_half.borrow_mut().send_response(response, bodiless);
        let stream = sent.map_err(|_| Failure::ClientGone)?;
        Ok((!bodiless).then_some((stream, body)))
    }
}

impl Reply for ResponseSender<'_> {
    fn interim(&self) -> InterimSink {
        Some(self.send_half.clone())
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.send_half.borrow_mut().poll_reset(cx).map(|_| ())
    }

    async fn send(&mut self, response: &mut Response<Body>, sent: &mut u64) -> Result<(), Failure> {
        let (stream, body) = match self.send_head(std::mem::take(response))? {
            None => return Ok(()),
            Some((outgoing, Body::Upgraded(endpoint))) => {
                let Some(incoming) = self.incoming.take() else { return Err(Failure::Internal) };
                let mut client = TunnelStream::new(incoming, outgoing);
                // How it ends is up to both sides; the response was complete with its head.
                let _ = Box::pin(tunnel::run(&mut client, endpoint, sent)).await;
                return Ok(());
            }
            Some(content) => content,
        };
        let patience = self.client.settings.plan.timeouts.write.duration();
        let mut pump = Pump::new(stream, body, patience);
        let pumped = poll_fn(|cx| pump.poll(cx)).await;
        *sent += pump.sent;
        match pumped {
            Ok(()) => Ok(()),
            Err(Stopped::Peer) => Err(Failure::ClientGone),
            Err(Stopped::Told(failure)) => Err(failure),
            Err(Stopped::Stalled) => {
                pump.reset(Reason::CANCEL);
                Err(Failure::ClientGone)
            }
            Err(Stopped::Source(failure)) => {
                // A reset takes back what the connection's task has not written yet: let it write what came first.
                yield_now().await;
                pump.reset(Reason::INTERNAL_ERROR);
                Err(failure)
            }
        }
    }
}
