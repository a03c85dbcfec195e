//! A client for the gateway's own requests to an endpoint: health checks and probes.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, request};
use tidegate_core::failure::Failure;
use tidegate_core::plan::HttpVersion;
use tokio::time::Instant;

use super::connect::{self, Opened};
use super::flight::Flight;
use super::pool::Pool;
use super::{Address, Member, Upstream};
use crate::http::body::{Body, Frame};
use crate::http::h1::client::{Broken, Connection, Exchange};
use crate::http::h2;
use crate::http::wait::{Patience, Waiter};

/// Asks one endpoint, without its load and its passive health learning of it.
pub struct Client<'a> {
    /// Its upstream.
    pub upstream: &'a Upstream,
    /// The endpoint.
    pub member: &'a Arc<Member>,
    /// Where it is asked.
    pub address: &'a Address,
    /// Keeps the connection until the next request, if that is wanted.
    pub pool: &'a Rc<Pool>,
    /// Whether it is.
    pub reuse: bool,
    /// Time for each step: opening HTTP/2, the head of the answer, each piece of its body.
    pub limit: Duration,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header.
    pub headers: HeaderMap,
    body: Body,
}

/// What was read of a body.
#[derive(Default)]
pub struct Content {
    /// Its first bytes.
    pub start: Vec<u8>,
    /// Whether they are all.
    pub whole: bool,
    /// The fields after it.
    pub trailers: HeaderMap,
}

impl Client<'_> {
    /// `Host` as it was `given`, or else as the endpoint itself would call it; nothing for an address that no
    /// field can hold.
    pub fn host(&self, given: Option<&HeaderValue>) -> Option<HeaderValue> {
        match (given, &self.member.address) {
            (Some(host), _) => Some(host.clone()),
            (None, Address::Unix(_)) => Some(HeaderValue::from_static("localhost")),
            (None, _) => HeaderValue::from_str(&self.member.endpoint.address).ok(),
        }
    }

    /// A new connection.
    pub async fn open(&self) -> Result<Opened, Failure> {
        connect::open_uncounted(self.upstream, self.member, self.address).await
    }

    /// Send a request and wait for the head of its answer: on the connection of the request before where
    /// there is one, and on a new one where that has ended meanwhile.
    pub async fn send(
        &self,
        head: &request::Parts,
        content: &Bytes,
        only_http2: bool,
    ) -> Result<Answer, Failure> {
        let now = Instant::now();
        let kept = match self.pool.session(now) {
            Some(session) => Some(self.over_h2(session, head, content).await),
            None => match poll_fn(|cx| Poll::Ready(self.pool.take(now, false, cx))).await {
                Some(connection) => Some(self.over_h1(connection, head, content).await),
                None => None,
            },
        };
        match kept {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(broken)) if !broken.stale => return Err(broken.failure),
            Some(Err(_)) | None => {}
        }
        self.pool.sweep(now);
        let mut opened = self.open().await?;
        if only_http2 && self.upstream.tls.is_none() {
            opened.version = HttpVersion::Http2;
        }
        let answered = match opened.version {
            HttpVersion::Http1 if only_http2 => return Err(Failure::UpstreamProtocol),
            HttpVersion::Http1 => {
                let connection = Connection::new(opened.io, Instant::now(), opened.slot);
                self.over_h1(Box::new(connection), head, content).await
            }
            HttpVersion::Http2 => {
                let session = h2::client::Session::begin(opened, self.limit).await?;
                if self.reuse {
                    self.pool.put_session(session.clone());
                }
                self.over_h2(session, head, content).await
            }
        };
        answered.map_err(|broken| broken.failure)
    }

    async fn over_h1(
        &self,
        connection: Box<Connection>,
        head: &request::Parts,
        content: &Bytes,
    ) -> Result<Answer, Broken> {
        let body = Body::full(content.clone());
        let (pool, flight) = (self.pool.clone(), Flight::uncounted(self.member.clone()));
        let exchange = Exchange::start(connection, pool, flight, head, body, None, self.patience());
        let mut exchange = Box::new(exchange);
        let head = poll_fn(|cx| exchange.poll_head(cx, &Waiter::PATIENT)).await?;
        let body = Body::H1Response(exchange);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    async fn over_h2(
        &self,
        session: Rc<h2::client::Session>,
        head: &request::Parts,
        content: &Bytes,
    ) -> Result<Answer, Broken> {
        let (body, tls) = (Body::full(content.clone()), self.upstream.tls.is_some());
        let flight = Flight::uncounted(self.member.clone());
        let exchange =
            h2::client::Exchange::start(session, flight, head, body, tls, self.patience());
        let mut exchange = Box::new(exchange);
        let (status, headers) = poll_fn(|cx| exchange.poll_head(cx, &Waiter::PATIENT)).await?;
        Ok(Answer { status, headers, body: Body::H2Response(exchange) })
    }

    fn patience(&self) -> Patience {
        Patience { response: self.limit, idle: self.limit }
    }
}

impl Answer {
    /// The first `wanted` bytes of the body, and its trailers. A body of up to `limit` bytes is read to
    /// its end, so that the connection can be used again; of a longer one the rest is left.
    pub async fn read(&mut self, wanted: usize, limit: usize) -> Result<Content, Failure> {
        let mut content = Content::default();
        let mut total = 0;
        while total <= limit {
            match poll_fn(|cx| self.body.poll_frame(cx)).await {
                None => {
                    content.whole = total == content.start.len();
                    break;
                }
                Some(Ok(Frame::Data(data))) => {
                    total += data.len();
                    let room = wanted - content.start.len();
                    content.start.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(Ok(Frame::Trailers(trailers))) => content.trailers = trailers,
                Some(Err(failure)) => return Err(failure),
            }
        }
        Ok(content)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::pending;

    use http::header::HOST;
    use http::{Request, Response};
    use tidegate_core::plan;
    use tokio::net::TcpListener;
    use tokio::runtime::{Builder, LocalOptions};
    use tokio::sync::oneshot;
    use tokio::task::{spawn_local, yield_now};

    use super::*;
    use crate::telemetry::metrics::Metrics;

    /// Answers a request on each connection, and closes the first when told to.
    async fn serve(listener: TcpListener, close: oneshot::Receiver<()>) {
        let mut close = Some(close);
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let close = close.take();
            spawn_local(async move {
                let mut connection = ::h2::server::handshake(socket).await.unwrap();
                let (_, mut respond) = connection.accept().await.unwrap().unwrap();
                respond.send_response(Response::new(()), true).unwrap();
                let closes = async {
                    match close {
                        Some(close) => _ = close.await,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    _ = connection.accept() => {}
                    () = closes => {}
                }
            });
        }
    }

    fn upstream(address: String) -> Upstream {
        let plain = include_str!("../../../core/tests/plan.json");
        let mut plan: plan::Plan = serde_json::from_str(plain).unwrap();
        let mut plan = plan.upstreams.remove(0);
        plan.protocol = plan::UpstreamProtocol::Http2;
        (plan.pool.idle_timeout, plan.pool.max_age) = (plan::Millis(60_000), plan::Millis(60_000));
        plan.endpoints[0].address = address;
        Upstream::build(&plan, None, "u", None, &[], &Metrics::new(1)).unwrap()
    }

    #[test]
    fn a_session_that_the_endpoint_closed_is_forgotten() {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let upstream = upstream(listener.local_addr().unwrap().to_string());
            let (close, closing) = oneshot::channel();
            spawn_local(serve(listener, closing));
            let member = &upstream.members[0];
            let pool = &Rc::new(Pool::new(member.clone(), &upstream.plan.pool));
            let (address, limit) = (&member.address, Duration::from_secs(10));
            let client = Client { upstream: &upstream, member, address, pool, reuse: true, limit };
            let request = Request::get("/").header(HOST, client.host(None).unwrap());
            let (head, ()) = request.body(()).unwrap().into_parts();
            client.send(&head, &Bytes::new(), true).await.unwrap();
            let closed = Rc::downgrade(&pool.session(Instant::now()).unwrap());
            close.send(()).unwrap();
            while pool.session(Instant::now()).is_some() {
                yield_now().await;
            }
            client.send(&head, &Bytes::new(), true).await.unwrap();
            assert!(closed.upgrade().is_none());
        });
    }
}
