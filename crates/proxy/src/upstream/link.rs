//! A connection for a request: from the pool, or a new one.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use tidegate_core::failure::Failure;
use tidegate_core::plan::{HttpVersion, UpstreamProtocol};
use tokio::time::Instant;

use super::pool::Pool;
use super::{Upstream, connect};
use crate::upstream::client::h1::Connection;
use crate::upstream::client::h2::Session;

/// What a request is sent on.
pub enum Link {
    /// A connection of its own.
    H1(Box<Connection>),
    /// One that it shares.
    H2(Rc<Session>),
}

/// A connection: one from the pool if `reuse`, else a new one. A `careful` caller cannot try again.
pub async fn obtain(
    worker: usize,
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
    cx: &mut Context<'_>,
) -> Option<Link> {
    if upstream.plan.protocol != UpstreamProtocol::Http1
        && let Some(session) = pool.session(now)
    {
        return Some(Link::H2(session));
    }
    pool.take(now, careful, cx).map(Link::H1)
}

async fn open(
    worker: usize,
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
    let opened = connect::open(upstream, &pool.member, worker).await?;
    match opened.version {
        HttpVersion::Http1 => {
            let connection = Connection::new(opened.io, Instant::now(), opened.slot);
            Ok(Link::H1(Box::new(connection)))
        }
        HttpVersion::Http2 => {
            let limit = upstream.plan.timeouts.connect.duration();
            let session = Session::begin(opened, limit).await?;
            pool.put_session(session.clone());
            Ok(Link::H2(session))
        }
    }
}
