//! Sending a request: pick an endpoint, take or open a connection, try again where that may help.

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{COOKIE, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, request};
use smallvec::SmallVec;
use tidegate_core::balance::{Pick, hash_key};
use tidegate_core::failure::{Failure, Retryable};
use tidegate_core::plan::{HashKey, HttpVersion, UpstreamProtocol};
use tokio::time::Instant;

use super::connect;
use super::flight::Flight;
use super::pool::Pool;
use super::session::Session;
use super::{Member, Upstream, report};
use crate::clock;
use crate::http::body::Body;
use crate::http::h1::client::{Broken, Connection, Exchange, Patience};
use crate::http::h2;
use crate::http::interim::InterimSink;
use crate::record::Record;
use crate::worker::Worker;

/// How a request is sent.
pub struct Dispatch<'a> {
    /// Where to.
    pub upstream: &'a Arc<Upstream>,
    /// The place of the labels that the route asks for.
    pub subset: Option<usize>,
    /// Tries in all.
    pub attempts: u32,
    /// Longest wait for a try's response, where it is shorter than the upstream's own.
    pub per_try_timeout: Option<Duration>,
    /// The protocol the client wants to switch to.
    pub upgrade: Option<HeaderValue>,
    /// Where interim responses go.
    pub interim: InterimSink,
    /// The client's address, where it is hashed.
    pub client: Option<IpAddr>,
}

/// A try that came to nothing.
struct Unanswered {
    failure: Failure,
    /// The request's body, if nothing of it was taken.
    body: Option<Body>,
    /// The endpoint certainly did not carry the request out.
    refused: bool,
}

/// Send a request and wait for the head of its response.
pub async fn send(
    worker: &Rc<Worker>,
    dispatch: &Dispatch<'_>,
    head: &request::Parts,
    mut body: Body,
    mut record: Option<&mut Record>,
) -> Result<Response<Body>, Failure> {
    let upstream = dispatch.upstream;
    let hash =
        upstream.plan.balance.hash.as_ref().and_then(|key| hash_of(key, head, dispatch.client));
    let session = Session::of(upstream, &head.headers);
    let mut tried: SmallVec<[usize; 4]> = SmallVec::new();
    loop {
        let now = Instant::now();
        let picked = upstream.balancer.pick(&mut Pick {
            now: clock::moment(now),
            random: &mut worker.random.borrow_mut(),
            hash,
            subset: dispatch.subset,
            sticky: session.endpoint,
            tried: &tried,
        });
        let index = picked.ok_or(Failure::NoEndpoint)?;
        let member = &upstream.members[index];
        if let Some(record) = &mut record {
            record.tried(upstream, member);
        }
        let unanswered = match attempt(worker, dispatch, member, head, body, now).await {
            Ok(mut response) => {
                session.answered(index, response.headers_mut());
                let took = now.elapsed();
                report::take(upstream, member, response.headers_mut());
                upstream.metrics.response_head(worker.index, took);
                member.metrics.answered(worker.index, response.status().as_u16());
                if let Some(record) = record {
                    record.headed(took);
                }
                return Ok(response);
            }
            Err(unanswered) => unanswered,
        };
        tried.push(index);
        let may_help = unanswered.refused
            || match unanswered.failure.meaning().retry {
                Retryable::Always => true,
                Retryable::IfIdempotent => head.method.is_idempotent(),
                Retryable::Never => false,
            };
        match unanswered.body {
            Some(untouched) if may_help && (tried.len() as u32) < dispatch.attempts => {
                upstream.metrics.retried(worker.index);
                body = untouched;
            }
            _ => return Err(unanswered.failure),
        }
    }
}

/// One try on one endpoint. A pooled connection that turns out to be stale is replaced by a fresh one.
async fn attempt(
    worker: &Rc<Worker>,
    dispatch: &Dispatch<'_>,
    member: &Arc<Member>,
    head: &request::Parts,
    mut body: Body,
    now: Instant,
) -> Result<Response<Body>, Unanswered> {
    let pool = worker.pool(member, &dispatch.upstream.plan.pool);
    let mut reuse = true;
    let careful = !head.method.is_idempotent();
    loop {
        let link = match obtain(worker, dispatch.upstream, &pool, reuse, careful, now).await {
            Ok(link) => link,
            Err(failure) => {
                return Err(Unanswered { failure, body: Some(body), refused: false });
            }
        };
        let flight = Flight::begin(member.clone(), now);
        let answered = match link {
            Link::H1(connection) => {
                over_h1(connection, pool.clone(), flight, dispatch, head, body).await
            }
            Link::H2(session) => over_h2(session, flight, dispatch, head, body).await,
        };
        match answered {
            Ok(response) => return Ok(response),
            Err((broken, returned)) => {
                let untouched = (!broken.body_touched).then_some(returned);
                match untouched {
                    Some(untouched) if broken.stale && reuse && head.method.is_idempotent() => {
                        reuse = false;
                        body = untouched;
                    }
                    untouched => {
                        return Err(Unanswered {
                            failure: broken.failure,
                            body: untouched,
                            refused: broken.refused,
                        });
                    }
                }
            }
        }
    }
}

enum Link {
    H1(Box<Connection>),
    H2(Rc<h2::client::Session>),
}

/// A connection: one from the pool if `reuse`, else a new one. A `careful` caller cannot try again.
async fn obtain(
    worker: &Worker,
    upstream: &Upstream,
    pool: &Rc<Pool>,
    reuse: bool,
    careful: bool,
    now: Instant,
) -> Result<Link, Failure> {
    if reuse
        && let Some(link) =
            poll_fn(|cx| Poll::Ready(pooled(upstream, pool, now, careful, cx))).await
    {
        return Ok(link);
    }
    Box::pin(open(worker, upstream, pool, reuse)).await
}

fn pooled(
    upstream: &Upstream,
    pool: &Pool,
    now: Instant,
    careful: bool,
    cx: &mut std::task::Context<'_>,
) -> Option<Link> {
    if upstream.plan.protocol != UpstreamProtocol::Http1
        && let Some(session) = pool.session(now)
    {
        return Some(Link::H2(session));
    }
    pool.take(now, careful, cx).map(Link::H1)
}

async fn open(
    worker: &Worker,
    upstream: &Upstream,
    pool: &Rc<Pool>,
    reuse: bool,
) -> Result<Link, Failure> {
    // Where one connection serves many requests, those that come while it is opened wait for it.
    let shared = upstream.plan.protocol == UpstreamProtocol::Http2;
    let _turn = if shared { Some(pool.opening.lock().await) } else { None };
    if shared
        && reuse
        && let Some(session) = pool.session(Instant::now())
    {
        return Ok(Link::H2(session));
    }
    let opened = connect::open(upstream, &pool.member, worker.index).await?;
    match opened.version {
        HttpVersion::Http1 => {
            let connection = Connection::new(opened.io, Instant::now(), opened.slot);
            Ok(Link::H1(Box::new(connection)))
        }
        HttpVersion::Http2 => {
            let limit = upstream.plan.timeouts.connect.duration();
            let session = h2::client::Session::begin(opened, limit).await?;
            pool.put_session(session.clone());
            Ok(Link::H2(session))
        }
    }
}

async fn over_h1(
    connection: Box<Connection>,
    pool: Rc<Pool>,
    flight: Flight,
    dispatch: &Dispatch<'_>,
    head: &request::Parts,
    body: Body,
) -> Result<Response<Body>, (Broken, Body)> {
    let patience = dispatch.patience();
    let upgrade = dispatch.upgrade.as_ref();
    let exchange = Exchange::start(connection, pool, flight, head, body, upgrade, patience);
    let mut exchange = Box::new(exchange);
    match poll_fn(|cx| exchange.poll_head(cx, &dispatch.interim)).await {
        Err(broken) => Err((broken, exchange.into_body())),
        Ok(head) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
            switched(*exchange, head.headers, head.control.upgrade, upgrade.is_some())
        }
        Ok(head) => Ok(response(head.status, head.headers, Body::H1Response(exchange))),
    }
}

/// A response with status 101: legitimate only where it was asked for.
fn switched(
    exchange: Exchange,
    mut headers: HeaderMap,
    protocol: Option<HeaderValue>,
    asked: bool,
) -> Result<Response<Body>, (Broken, Body)> {
    match (exchange.into_upgraded(), protocol) {
        (Some(upgraded), Some(protocol)) if asked => {
            headers.insert(UPGRADE, protocol);
            let body = Body::Upgraded(Box::new(upgraded));
            Ok(response(StatusCode::SWITCHING_PROTOCOLS, headers, body))
        }
        _ => Err((Broken::with(Failure::UpstreamProtocol), Body::Empty)),
    }
}

async fn over_h2(
    session: Rc<h2::client::Session>,
    flight: Flight,
    dispatch: &Dispatch<'_>,
    head: &request::Parts,
    body: Body,
) -> Result<Response<Body>, (Broken, Body)> {
    let (tls, patience) = (dispatch.upstream.tls.is_some(), dispatch.patience());
    let exchange = h2::client::Exchange::start(session, flight, head, body, tls, patience);
    let mut exchange = Box::new(exchange);
    match poll_fn(|cx| exchange.poll_head(cx, &dispatch.interim)).await {
        Err(broken) => Err((broken, exchange.into_body())),
        Ok((status, headers)) => {
            let mut response = response(status, headers, Body::H2Response(exchange));
            *response.version_mut() = Version::HTTP_2;
            Ok(response)
        }
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Dispatch<'_> {
    fn patience(&self) -> Patience {
        let timeouts = &self.upstream.plan.timeouts;
        let response = timeouts.response.duration();
        Patience {
            response: self.per_try_timeout.map_or(response, |limit| limit.min(response)),
            idle: timeouts.idle.duration(),
        }
    }
}

/// What decides, by hashing, where a request goes; absent where the request has no such thing.
fn hash_of(key: &HashKey, head: &request::Parts, client: Option<IpAddr>) -> Option<u64> {
    if let Some(name) = &key.header {
        return head.headers.get(name).map(|value| hash_key(value.as_bytes()));
    }
    if let Some(name) = &key.cookie {
        return cookie(&head.headers, name).map(hash_key);
    }
    if key.path == Some(true) {
        return Some(hash_key(head.uri.path().as_bytes()));
    }
    match client? {
        IpAddr::V4(address) => Some(hash_key(&address.octets())),
        IpAddr::V6(address) => Some(hash_key(&address.octets())),
    }
}

/// The value of a cookie (RFC 6265 §4.2).
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers.get_all(COOKIE).iter().find_map(|line| {
        line.as_bytes()
            .split(|byte| *byte == b';')
            .find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    })
}
