//! A connection for a request: from the pool, or a new one.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tidegate_core::failure::Failure;
use tidegate_core::plan::UpstreamProtocol;
use tokio::time::Instant;

use super::link::Link;
use super::pool::Pool;
use super::{Upstream, announced, connect};

/// What a request needs of its connection.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// Whether one from the pool will do.
    pub reuse: bool,
    /// Whether the request cannot be tried again, so that it must be a good one.
    pub care: bool,
    /// The other protocol that the request asks for.
    pub switch: Option<Switch>,
}

/// Another protocol, by what it can be spoken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// WebSocket: a connection of its own over HTTP/1, or a stream of an endpoint that takes extended CONNECT.
    WebSocket,
    /// Any other: a connection of its own over HTTP/1.
    Other,
}

/// A connection that comes about.
type Opening<'a> = Pin<Box<dyn Future<Output = Result<Link, Failure>> + 'a>>;

/// A connection: one from the pool if that will do, else a new one.
pub async fn obtain(
    worker: usize,
    upstream: &Arc<Upstream>,
    pool: &Rc<Pool>,
    needs: Needs,
    now: Instant,
) -> Result<Link, Failure> {
    if needs.switch == Some(Switch::WebSocket) && upstream.plan.protocol != UpstreamProtocol::Http1
    {
        return for_websocket(worker, upstream, pool, needs, now).await;
    }
    if needs.reuse
        && let Some(link) = poll_fn(|cx| Poll::Ready(pooled(upstream, pool, needs, now, cx))).await
    {
        if upstream.plan.http3 && !link.is_http3() {
            announced::begin_beside(worker, upstream, pool, now);
        }
        return Ok(link);
    }
    fresh(worker, upstream, pool, needs).await
}

/// A new connection. It is by itself on the heap, as most requests find one in the pool.
#[cold]
fn fresh<'a>(
    worker: usize,
    upstream: &'a Arc<Upstream>,
    pool: &'a Rc<Pool>,
    needs: Needs,
) -> Opening<'a> {
    let over_tcp = open(worker, upstream, pool, needs);
    match upstream.plan.http3 && needs.switch.is_none() {
        true => Box::pin(announced::open(worker, upstream, pool, needs.reuse, over_tcp)),
        false => Box::pin(over_tcp),
    }
}

/// A connection for a WebSocket. Where it is one that requests share and the endpoint takes no extended CONNECT, it is
/// another, of its own over HTTP/1; an upstream that speaks no HTTP/1 then has none.
#[cold]
fn for_websocket<'a>(
    worker: usize,
    upstream: &'a Arc<Upstream>,
    pool: &'a Rc<Pool>,
    needs: Needs,
    now: Instant,
) -> Opening<'a> {
    Box::pin(async move {
        let any = Needs { switch: None, ..needs };
        let link = obtain(worker, upstream, pool, any, now).await?;
        let Link::Multiplexed(connection) = &link else { return Ok(link) };
        let limit = upstream.plan.timeouts.connect.duration();
        if connection.takes_extended_connect(limit).await {
            return Ok(link);
        }
        if upstream.plan.protocol != UpstreamProtocol::Auto {
            return Err(Failure::NotSwitched);
        }
        let own = Needs { switch: Some(Switch::Other), ..needs };
        obtain(worker, upstream, pool, own, now).await
    })
}

fn pooled(
    upstream: &Upstream,
    pool: &Pool,
    needs: Needs,
    now: Instant,
    cx: &mut Context<'_>,
) -> Option<Link> {
    let may_share = match upstream.plan.protocol {
        UpstreamProtocol::Http1 => false,
        UpstreamProtocol::Http2 | UpstreamProtocol::Http3 => true,
        UpstreamProtocol::Auto => needs.switch.is_none(),
    };
    if may_share && let Some(connection) = pool.shared(now) {
        return Some(Link::Multiplexed(connection));
    }
    pool.take(now, needs.care, cx).map(Link::H1)
}

async fn open(
    worker: usize,
    upstream: &Upstream,
    pool: &Rc<Pool>,
    needs: Needs,
) -> Result<Link, Failure> {
    // Where one connection serves many requests, those that come while it is opened wait for it.
    let shared =
        matches!(upstream.plan.protocol, UpstreamProtocol::Http2 | UpstreamProtocol::Http3);
    let _turn = if shared { Some(pool.opening.lock().await) } else { None };
    if shared
        && needs.reuse
        && let Some(connection) = pool.shared(Instant::now())
    {
        return Ok(Link::Multiplexed(connection));
    }
    let opened = connect::open(upstream, &pool.member, worker, needs.switch.is_some()).await?;
    let link = Link::begin(opened, upstream.plan.timeouts.connect.duration()).await?;
    link.share(pool);
    Ok(link)
}
