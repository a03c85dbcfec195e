//! The gateway's own requests to an endpoint: health checks and probes.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, request, response};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::client::{self, Outgoing, TryTimeouts, Waiter};
use super::connect::{self, Channel, Opened};
use super::flight::Flight;
use super::link::Link;
use super::pool::Pool;
use super::{Member, Upstream};
use crate::http::body::{Body, Frame};
use crate::http::broken::Broken;
use crate::net::Address;

/// Asks one endpoint, without its load and its passive health learning of it.
pub struct Fetch<'a> {
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
    /// Time for each step: beginning HTTP/2 or HTTP/3, the head of the answer, each piece of its body.
    pub limit: Duration,
}

/// The response to a request of the gateway's own.
pub struct Fetched {
    /// Its head.
    pub head: response::Parts,
    body: Body,
}

/// What was read of a body.
#[derive(Default)]
pub struct Excerpt {
    /// Its first bytes.
    pub start: Vec<u8>,
    /// Whether they are all.
    pub whole: bool,
    /// The fields after it.
    pub trailers: HeaderMap,
}

impl Fetch<'_> {
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
        never_http1: bool,
    ) -> Result<Fetched, Failure> {
        let now = Instant::now();
        if let Some(link) = poll_fn(|cx| Poll::Ready(self.kept(now, cx))).await {
            match self.over(link, head, content).await {
                Ok(fetched) => return Ok(fetched),
                Err(broken) if !broken.stale => return Err(broken.failure),
                Err(_) => {}
            }
        }
        self.pool.sweep(now);
        let mut opened = self.open().await?;
        if never_http1 {
            opened.channel = match opened.channel {
                Channel::Http1(io) if self.upstream.tls.is_none() => Channel::Http2(io),
                Channel::Http1(_) => return Err(Failure::UpstreamProtocol),
                other => other,
            };
        }
        let link = Link::begin(opened, self.limit).await?;
        if self.reuse {
            link.share(self.pool);
        }
        self.over(link, head, content).await.map_err(|broken| broken.failure)
    }

    /// The connection of the request before.
    fn kept(&self, now: Instant, cx: &mut Context<'_>) -> Option<Link> {
        let shared = self.pool.shared(now).map(Link::Multiplexed);
        shared.or_else(|| self.pool.take(now, false, cx).map(Link::H1))
    }

    async fn over(
        &self,
        link: Link,
        head: &request::Parts,
        content: &Bytes,
    ) -> Result<Fetched, Broken> {
        let body = Body::full(content.clone());
        let timeouts = TryTimeouts { response: self.limit, idle: self.limit };
        let request = Outgoing { head, body, upgrade: None, timeouts };
        let exchange = link.start(self.pool, Flight::uncounted(self.member.clone()), request);
        let (response, _) = client::response(exchange, &Waiter::PATIENT).await?;
        let (head, body) = response.into_parts();
        Ok(Fetched { head, body })
    }
}

impl Fetched {
    /// The first `wanted` bytes of the body, and its trailers. A body of up to `limit` bytes is read to
    /// its end, so that the connection can be used again; of a longer one the rest is left.
    pub async fn read(&mut self, wanted: usize, limit: usize) -> Result<Excerpt, Failure> {
        let mut excerpt = Excerpt::default();
        let mut total = 0;
        while total <= limit {
            match poll_fn(|cx| self.body.poll_frame(cx)).await {
                None => {
                    excerpt.whole = total == excerpt.start.len();
                    break;
                }
                Some(Ok(Frame::Data(data))) => {
                    total += data.len();
                    let room = wanted - excerpt.start.len();
                    excerpt.start.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(Ok(Frame::Trailers(trailers))) => excerpt.trailers = trailers,
                Some(Err(failure)) => return Err(failure),
            }
        }
        Ok(excerpt)
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
    use crate::account::Accounts;
    use crate::testing;
    use crate::upstream::Wanted;
    use crate::upstream::client::multiplexed::Multiplexed;
    use crate::upstream::live::LiveEndpoints;

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
        let mut plan = testing::upstream();
        plan.protocol = plan::UpstreamProtocol::Http2;
        let minute = plan::Millis::new(60_000).unwrap();
        (plan.pool.idle_timeout, plan.pool.max_age) = (minute, minute);
        plan.endpoints = vec![testing::endpoint(&address)];
        let live = LiveEndpoints::default();
        let wanted = Wanted { plan: &Arc::new(plan), zone: None, subsets: &[], live: live.of("u") };
        Upstream::build(wanted, None, "u", &Accounts::new(1)).unwrap()
    }

    #[test]
    fn a_connection_that_the_endpoint_closed_is_forgotten() {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let upstream = upstream(listener.local_addr().unwrap().to_string());
            let (close, closing) = oneshot::channel();
            spawn_local(serve(listener, closing));
            let member = &upstream.membership().members[0].clone();
            let pool = &Rc::new(Pool::new(member.clone(), &upstream.plan.pool));
            let (address, limit) = (&member.address, Duration::from_secs(10));
            let fetch = Fetch { upstream: &upstream, member, address, pool, reuse: true, limit };
            let request = Request::get("/").header(HOST, fetch.host(None).unwrap());
            let (head, ()) = request.body(()).unwrap().into_parts();
            fetch.send(&head, &Bytes::new(), true).await.unwrap();
            let Some(Multiplexed::H2(connection)) = pool.shared(Instant::now()) else {
                unreachable!("the endpoint speaks HTTP/2")
            };
            let closed = Rc::downgrade(&connection);
            drop(connection);
            close.send(()).unwrap();
            while pool.shared(Instant::now()).is_some() {
                yield_now().await;
            }
            fetch.send(&head, &Bytes::new(), true).await.unwrap();
            assert!(closed.upgrade().is_none());
        });
    }
}
