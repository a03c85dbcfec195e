//! Sending responses.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use tidegate_core::failure::Failure;
use tokio::task::yield_now;

use crate::client::Client;
use crate::http::body::Body;
use crate::http::h2::pump::Pump;
use crate::http::interim::{Interim, InterimSink};
use crate::http::stopped::Stopped;
use crate::serve::request::Reply;
use crate::serve::response_head;

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
}

impl<'a> ResponseSender<'a> {
    /// Send the response to a request of this method.
    pub fn new(client: &'a Client, send_half: Rc<SendHalf>, method: Method) -> Self {
        Self { client, send_half, method }
    }

    /// Send the head of a response. Returns what sends its body, if it has one.
    fn send_head(&self, response: Response<Body>) -> Result<Option<Pump>, Failure> {
        let (mut head, body) = response.into_parts();
        let bodiless = response_head::complete(&mut head, &body, &self.method, self.client);
        head.version = Version::HTTP_2;
        let response = Response::from_parts(head, ());
        let sent = self.send_half.borrow_mut().send_response(response, bodiless);
        let stream = sent.map_err(|_| Failure::ClientGone)?;
        let patience = self.client.settings.plan.timeouts.write.duration();
        Ok((!bodiless).then(|| Pump::new(stream, body, patience)))
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
        let Some(mut pump) = self.send_head(std::mem::take(response))? else { return Ok(()) };
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
