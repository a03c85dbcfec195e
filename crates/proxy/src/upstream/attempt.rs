//! One try of a request on one endpoint.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, request};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::Member;
use super::client::h2;
use super::flight::Flight;
use super::link::{self, Link};
use super::pool::Pool;
use super::report::Reports;
use super::send::{Dispatch, Tries};
use crate::http::body::Body;
use crate::http::wait::{Patience, Waiter};
use crate::upstream::client::h1::{Broken, Connection, Exchange};

/// The head of a response came.
pub struct Answer {
    /// The response.
    pub response: Response<Body>,
    /// Who gave it.
    pub member: usize,
    /// When the try began.
    pub began: Instant,
    /// Time since then.
    pub took: Duration,
}

/// What a try comes to.
pub type Outcome = Result<Answer, Broken>;

/// Try `member`. A pooled connection that turns out to be stale is replaced by a fresh one.
pub async fn attempt(
    tries: &Tries<'_>,
    member: usize,
    head: &request::Parts,
    now: Instant,
) -> Outcome {
    let Tries { outbound, dispatch, content, .. } = tries;
    let upstream = dispatch.upstream;
    let endpoint = &upstream.members[member];
    // One that was down already was picked because too few are not.
    let was_down = endpoint.endpoint.health.is_down();
    let gives_up = || !was_down && tries.gives_up(endpoint, head);
    let waiter = Waiter { interim: dispatch.interim, gives_up: &gives_up };
    let pool = outbound.pool(endpoint, &upstream.plan.pool);
    let reports = Reports::of(&upstream.plan.balance);
    let idempotent = head.method.is_idempotent();
    let mut reuse = true;
    loop {
        // From here on it counts, so that others see it while it waits for a connection.
        let mut flight = Flight::begin(endpoint.clone(), now, reports);
        let link = link::obtain(outbound.worker, upstream, &pool, reuse, !idempotent, now).await;
        let link = link.map_err(|failure| {
            flight.failed(failure);
            Broken::with(failure)
        })?;
        tries.connected(member);
        let body = content.body().ok_or(Broken::with(Failure::Internal))?;
        let answered = match link {
            Link::H1(connection) => {
                over_h1(connection, pool.clone(), flight, dispatch, head, body, &waiter).await
            }
            Link::H2(session) => over_h2(session, flight, dispatch, head, body, &waiter).await,
        };
        match answered {
            Ok((mut response, heard)) => {
                let took = heard.saturating_duration_since(now);
                reports.take(&endpoint.endpoint, response.headers_mut());
                upstream.metrics.response_head(outbound.worker, took);
                endpoint.metrics.answered(outbound.worker, response.status().as_u16());
                return Ok(Answer { response, member, began: now, took });
            }
            Err(broken) if broken.stale && reuse && idempotent && content.is_left() => {
                reuse = false
            }
            Err(broken) => return Err(broken),
        }
    }
}

impl Tries<'_> {
    /// Whether a try on `endpoint` is to be given up: it is down, another is available, and the request may
    /// be repeated there.
    fn gives_up(&self, endpoint: &Arc<Member>, head: &request::Parts) -> bool {
        let dispatch = self.dispatch;
        endpoint.endpoint.health.is_down()
            && self.may_go_on()
            && dispatch.upstream.is_available()
            && dispatch.retry.after_failure(Failure::EndpointDown, false, &head.method).is_some()
    }
}

async fn over_h1(
    connection: Box<Connection>,
    pool: Rc<Pool>,
    flight: Flight,
    dispatch: &Dispatch<'_>,
    head: &request::Parts,
    body: Body,
    waiter: &Waiter<'_>,
) -> Result<(Response<Body>, Instant), Broken> {
    let patience = dispatch.patience();
    let upgrade = dispatch.upgrade;
    let exchange = Exchange::start(connection, pool, flight, head, body, upgrade, patience);
    let mut exchange = Box::new(exchange);
    let head = poll_fn(|cx| exchange.poll_head(cx, waiter)).await?;
    let heard = exchange.heard();
    let response = match head.status {
        StatusCode::SWITCHING_PROTOCOLS => {
            switched(*exchange, head.headers, head.control.upgrade, upgrade.is_some())?
        }
        status => response(status, head.headers, Body::H1Response(exchange)),
    };
    Ok((response, heard))
}

/// A response with status 101: legitimate only where it was asked for.
fn switched(
    exchange: Exchange,
    mut headers: HeaderMap,
    protocol: Option<HeaderValue>,
    asked: bool,
) -> Result<Response<Body>, Broken> {
    match (exchange.into_upgraded(), protocol) {
        (Some(upgraded), Some(protocol)) if asked => {
            headers.insert(UPGRADE, protocol);
            let body = Body::Upgraded(Box::new(upgraded));
            Ok(response(StatusCode::SWITCHING_PROTOCOLS, headers, body))
        }
        _ => Err(Broken::with(Failure::UpstreamProtocol)),
    }
}

async fn over_h2(
    session: Rc<h2::Session>,
    flight: Flight,
    dispatch: &Dispatch<'_>,
    head: &request::Parts,
    body: Body,
    waiter: &Waiter<'_>,
) -> Result<(Response<Body>, Instant), Broken> {
    let (tls, patience) = (dispatch.upstream.tls.is_some(), dispatch.patience());
    let exchange = h2::Exchange::start(session, flight, head, body, tls, patience);
    let mut exchange = Box::new(exchange);
    let (status, headers) = poll_fn(|cx| exchange.poll_head(cx, waiter)).await?;
    let heard = exchange.heard();
    let mut response = response(status, headers, Body::H2Response(exchange));
    *response.version_mut() = Version::HTTP_2;
    Ok((response, heard))
}

fn response(status: StatusCode, mut headers: HeaderMap, body: Body) -> Response<Body> {
    if status == StatusCode::NO_CONTENT {
        // RFC 9110 §8.6: it would speak of content that cannot come.
        headers.remove(CONTENT_LENGTH);
    }
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
            response: self.retry.per_try_timeout.map_or(response, |limit| limit.min(response)),
            idle: timeouts.idle.duration(),
        }
    }
}
