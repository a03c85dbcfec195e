//! HTTP/3 that an endpoint announced: it is begun before TCP or beside it, and the first that is ready is used.
//!
//! When it is tried is decided by [`Alternative`](tidegate_core::alternative::Alternative).

use std::num::NonZeroU16;
use std::rc::Rc;
use std::sync::Arc;

use tidegate_core::alternative::Attempt;
use tidegate_core::failure::Failure;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep};

use super::client::multiplexed::Multiplexed;
use super::link::Link;
use super::pool::Pool;
use super::{Upstream, connect};
use crate::net::clock;

/// A connection over HTTP/3 that is begun. It goes on where nothing waits for it any more, for later requests.
type Trying = JoinHandle<Option<Multiplexed>>;

/// Begin HTTP/3 for later requests, where it is to be tried at `now`.
pub fn begin_beside(upstream: &Arc<Upstream>, pool: &Rc<Pool>, now: Instant) {
    if let Some(attempt) = attempt(pool, now) {
        begin(upstream, pool, attempt.port);
    }
}

/// How HTTP/3 is to be tried at `now`; `None`: it is not, or is being tried already.
fn attempt(pool: &Pool, now: Instant) -> Option<Attempt> {
    if pool.trying_http3.get() {
        return None;
    }
    pool.member.endpoint.alternative.attempt(clock::moment(now))
}

/// A connection over HTTP/3 where that is to be tried and comes about first, or else the one that `over_tcp` opens; with
/// `reuse` one that another request opened meanwhile will do.
pub async fn open(
    upstream: &Arc<Upstream>,
    pool: &Rc<Pool>,
    reuse: bool,
    over_tcp: impl Future<Output = Result<Link, Failure>>,
) -> Result<Link, Failure> {
    let mut trying = match before_tcp(upstream, pool, reuse).await {
        Tried::Ready(connection) => return Ok(Link::Multiplexed(connection)),
        Tried::Failed => return over_tcp.await,
        Tried::UnderWay(trying) => trying,
    };
    let opened = tokio::select! {
        opened = over_tcp => opened,
        Ok(Some(connection)) = &mut trying => return Ok(Link::Multiplexed(connection)),
    };
    match opened {
        Ok(link) => Ok(link),
        Err(failure) => match trying.await {
            Ok(Some(connection)) => Ok(Link::Multiplexed(connection)),
            _ => Err(failure),
        },
    }
}

enum Tried {
    Ready(Multiplexed),
    Failed,
    UnderWay(Trying),
}

/// Try HTTP/3 for as long as TCP waits for it. Requests that come meanwhile wait as well, for what comes of this try.
async fn before_tcp(upstream: &Arc<Upstream>, pool: &Rc<Pool>, reuse: bool) -> Tried {
    let _turn = pool.opening.lock().await;
    let now = Instant::now();
    if let Some(connection) = pool.shared(now).filter(|_| reuse) {
        return Tried::Ready(connection);
    }
    let Some(attempt) = attempt(pool, now) else { return Tried::Failed };
    let mut trying = begin(upstream, pool, attempt.port);
    tokio::select! {
        connection = &mut trying => connection.ok().flatten().map_or(Tried::Failed, Tried::Ready),
        () = sleep(attempt.head_start) => {
            // No other request is to wait for it.
            pool.member.endpoint.alternative.failed(clock::now());
            Tried::UnderWay(trying)
        }
    }
}

fn begin(upstream: &Arc<Upstream>, pool: &Rc<Pool>, port: NonZeroU16) -> Trying {
    let (upstream, under_way) = (upstream.clone(), UnderWay::begin(pool));
    spawn_local(async move { connect(&upstream, &under_way.0, port).await })
}

/// Connect, and let other requests be sent on it.
async fn connect(upstream: &Upstream, pool: &Pool, port: NonZeroU16) -> Option<Multiplexed> {
    let limit = upstream.plan.timeouts.connect.duration();
    let begun = async {
        let opened = connect::open_announced(upstream, &pool.member, port).await?;
        Link::begin(opened, limit).await
    };
    let alternative = &pool.member.endpoint.alternative;
    match begun.await {
        Ok(Link::Multiplexed(connection)) => {
            alternative.worked();
            pool.share(connection.clone());
            Some(connection)
        }
        Ok(Link::H1(_)) => None,
        Err(failure) => {
            let (upstream, endpoint) = (&upstream.plan.name, &pool.member.endpoint.address);
            let cause = failure.meaning().label;
            tracing::info!(
                upstream,
                endpoint,
                port,
                cause,
                "HTTP/3 that was announced does not come about"
            );
            alternative.failed(clock::now());
            None
        }
    }
}

/// Marks a pool as long as HTTP/3 is tried.
struct UnderWay(Rc<Pool>);

impl UnderWay {
    fn begin(pool: &Rc<Pool>) -> Self {
        pool.trying_http3.set(true);
        Self(pool.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.trying_http3.set(false);
    }
}
