//! HTTP/3 that an endpoint announced: it is begun before TCP or beside it, and the first that is ready is used.
//!
//! When it is tried is decided by [`Alternative`](tidegate_core::alternative::Alternative).

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::alternative::Chance;
use tidegate_core::failure::Failure;
use tokio::task::{JoinError, JoinHandle, spawn_local};
use tokio::time::{Instant, sleep};

use super::client::multiplexed::Multiplexed;
use super::connection_slot::ConnectionSlot;
use super::link::Link;
use super::pool::Pool;
use super::{Upstream, connect};
use crate::net::clock;

/// A connection over HTTP/3 that is begun. It goes on where nothing waits for it any more, for later requests.
type Trying = JoinHandle<Option<Multiplexed>>;

/// Begin HTTP/3 for later requests, where it is to be tried at `now`.
pub fn begin_beside(worker: usize, upstream: &Arc<Upstream>, pool: &Rc<Pool>, now: Instant) {
    // It goes on by itself.
    let _ = begin(worker, upstream, pool, now);
}

/// A connection over HTTP/3 where that is to be tried and comes about first, or else the one that `over_tcp` opens; with
/// `reuse` one that another request opened meanwhile will do.
pub async fn open(
    worker: usize,
    upstream: &Arc<Upstream>,
    pool: &Rc<Pool>,
    reuse: bool,
    over_tcp: impl Future<Output = Result<Link, Failure>>,
) -> Result<Link, Failure> {
    let mut trying = match before_tcp(worker, upstream, pool, reuse).await {
        BeforeTcp::Ready(connection) => return Ok(Link::Multiplexed(connection)),
        BeforeTcp::Nothing => return over_tcp.await,
        BeforeTcp::UnderWay(trying) => trying,
    };
    let mut over_tcp = pin!(over_tcp);
    tokio::select! {
        opened = &mut over_tcp => match opened {
            Ok(link) => Ok(link),
            Err(failure) => come_about(trying.await).map(Link::Multiplexed).ok_or(failure),
        },
        tried = &mut trying => match come_about(tried) {
            Some(connection) => Ok(Link::Multiplexed(connection)),
            None => over_tcp.await,
        },
    }
}

/// What there is when TCP is to be begun.
enum BeforeTcp {
    Ready(Multiplexed),
    /// No try was begun, or it failed.
    Nothing,
    UnderWay(Trying),
}

/// Try HTTP/3 for as long as TCP waits for it. Requests that come meanwhile wait as well, for what comes of this try.
async fn before_tcp(
    worker: usize,
    upstream: &Arc<Upstream>,
    pool: &Rc<Pool>,
    reuse: bool,
) -> BeforeTcp {
    let _turn = pool.opening.lock().await;
    let now = Instant::now();
    if let Some(connection) = pool.shared(now).filter(|_| reuse) {
        return BeforeTcp::Ready(connection);
    }
    let Some((mut trying, head_start)) = begin(worker, upstream, pool, now) else {
        return BeforeTcp::Nothing;
    };
    tokio::select! {
        tried = &mut trying => come_about(tried).map_or(BeforeTcp::Nothing, BeforeTcp::Ready),
        () = sleep(head_start) => {
            // No other request is to wait for it.
            pool.member.endpoint.alternative.failed(clock::now());
            BeforeTcp::UnderWay(trying)
        }
    }
}

fn come_about(tried: Result<Option<Multiplexed>, JoinError>) -> Option<Multiplexed> {
    tried.ok().flatten()
}

/// Begin a try, and say how long TCP waits for it. `None`: none is due at `now`, one is under way already, or there may be
/// no more connections.
fn begin(
    worker: usize,
    upstream: &Arc<Upstream>,
    pool: &Rc<Pool>,
    now: Instant,
) -> Option<(Trying, Duration)> {
    if pool.trying_http3.get() {
        return None;
    }
    let Chance { port, head_start } =
        pool.member.endpoint.alternative.chance(clock::moment(now))?;
    let slot = ConnectionSlot::take(upstream, &pool.member).ok()?;
    let (upstream, under_way) = (upstream.clone(), UnderWay::begin(pool));
    let trying = spawn_local(async move {
        let limit = upstream.plan.timeouts.connect.duration();
        let member = &under_way.0.member;
        let opened = connect::open_announced(&upstream, member, worker, port, slot);
        let begun = async { Link::begin(opened.await?, limit).await };
        conclude(begun.await, &under_way.0)
    });
    Some((trying, head_start))
}

/// Note what came of a try. A connection is there for other requests, too.
fn conclude(begun: Result<Link, Failure>, pool: &Pool) -> Option<Multiplexed> {
    let alternative = &pool.member.endpoint.alternative;
    match begun {
        Ok(Link::Multiplexed(connection)) => {
            alternative.worked();
            pool.share(connection.clone());
            Some(connection)
        }
        Ok(Link::H1(_)) => None,
        Err(failure) => {
            let (upstream, endpoint) = (&*pool.member.upstream, &pool.member.endpoint.address);
            let cause = failure.meaning().label;
            tracing::info!(upstream, endpoint, cause, "HTTP/3 that was announced fails");
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
