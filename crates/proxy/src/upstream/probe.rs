//! Asking endpoints how loaded they are, beside the requests.
//!
//! Probes go out from one thread of the process, and their answers are every worker's. An endpoint
//! is asked on one connection that is kept; of an upstream, `limit` at once. So the cost is
//! endpoints ÷ interval whatever the load, and a hanging endpoint delays few others, and not for long.

use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{HOST, USER_AGENT};
use http::{Method, Request, StatusCode};
use tidegate_core::failure::Failure;
use tidegate_core::load::Report;
use tidegate_core::plan::HttpVersion;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::flight::Flight;
use super::pool::Pool;
use super::{Address, Member, Upstream, connect};
use crate::clock;
use crate::http::body::{Body, Frame};
use crate::http::h1::client::{Connection, Exchange};
use crate::http::h2;
use crate::http::wait::{Patience, Waiter};

/// An answer that takes longer is of no use: it tells of the past.
const LIMIT: Duration = Duration::from_secs(1);
/// Longest answer.
const MOST: usize = 1024;

/// All probing of the process, by the upstream's name.
#[derive(Default)]
pub struct Probes(HashMap<String, Probing>);

struct Probing {
    upstream: Arc<Upstream>,
    /// Aborted when dropped.
    _lanes: JoinSet<()>,
}

impl Probes {
    /// Probe the endpoints of `upstreams` from now on; upstreams that stay the same are not disturbed.
    pub fn adopt(&mut self, upstreams: &[Arc<Upstream>]) {
        let mut before = std::mem::take(&mut self.0);
        for upstream in upstreams {
            let Some(probe) = &upstream.plan.balance.probe else { continue };
            let name = &upstream.plan.name;
            let probing = match before.remove(name) {
                Some(same) if Arc::ptr_eq(&same.upstream, upstream) => same,
                _ => {
                    let mut lanes = JoinSet::new();
                    for lane in 0..upstream.members.len().min(probe.limit as usize) {
                        lanes.spawn_local(run(upstream.clone(), lane));
                    }
                    Probing { upstream: upstream.clone(), _lanes: lanes }
                }
            };
            self.0.insert(name.clone(), probing);
        }
    }
}

/// Probe every `limit`th endpoint, one after the other, again and again.
async fn run(upstream: Arc<Upstream>, lane: usize) {
    let Some(probe) = &upstream.plan.balance.probe else { return };
    let members = upstream.members.iter().skip(lane).step_by(probe.limit as usize);
    let lines: Vec<_> = members.map(|member| Line::new(&upstream, member, &probe.path)).collect();
    let mut rounds = interval(probe.interval.duration());
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        for line in &lines {
            let asked = timeout(LIMIT, line.ask()).await.unwrap_or(Err(Failure::ResponseTimeout));
            match asked {
                Ok(Some(report)) => line.member.endpoint.load.report(report, clock::now()),
                Ok(None) => line.complain("no report in its answer"),
                Err(failure) => line.complain(failure.meaning().label),
            }
        }
    }
}

/// The way to an endpoint that is probed.
struct Line<'a> {
    upstream: &'a Upstream,
    member: &'a Arc<Member>,
    path: &'a str,
    pool: Rc<Pool>,
}

impl<'a> Line<'a> {
    fn new(upstream: &'a Upstream, member: &'a Arc<Member>, path: &'a str) -> Self {
        let pool = Rc::new(Pool::new(member.clone(), &upstream.plan.pool));
        Self { upstream, member, path, pool }
    }

    /// Without a report the endpoint is judged by what is seen of it: nothing for people to act on at once.
    fn complain(&self, cause: &str) {
        let (upstream, endpoint) = (&self.upstream.plan.name, &self.member.endpoint.address);
        tracing::debug!(upstream, endpoint, cause, "a probe brought no report");
    }

    /// One probe.
    async fn ask(&self) -> Result<Option<Report>, Failure> {
        let host = match &self.member.address {
            Address::Unix(_) => "localhost",
            _ => &self.member.endpoint.address,
        };
        let request = Request::builder()
            .method(Method::GET)
            .uri(self.path)
            .header(HOST, host)
            .header(USER_AGENT, "tidegate-probe")
            .body(());
        let (head, ()) = request.map_err(|_| Failure::Internal)?.into_parts();
        let (status, mut body) = self.send(&head).await?;
        let mut content = Vec::new();
        while let Some(frame) = poll_fn(|cx| body.poll_frame(cx)).await {
            if let Frame::Data(data) = frame? {
                content.extend_from_slice(&data);
            }
            if content.len() > MOST {
                return Ok(None);
            }
        }
        Ok((status == StatusCode::OK).then(|| Report::from_probe(&content)).flatten())
    }

    async fn send(&self, head: &http::request::Parts) -> Result<(StatusCode, Body), Failure> {
        let now = Instant::now();
        if let Some(session) = self.pool.session(now) {
            return self.over_h2(session, head).await;
        }
        if let Some(kept) = poll_fn(|cx| Poll::Ready(self.pool.take(now, true, cx))).await {
            return self.over_h1(kept, head).await;
        }
        let opened =
            connect::open_uncounted(self.upstream, self.member, &self.member.address).await?;
        match opened.version {
            HttpVersion::Http1 => {
                let connection = Connection::new(opened.io, now, opened.slot);
                self.over_h1(Box::new(connection), head).await
            }
            HttpVersion::Http2 => {
                let session = h2::client::Session::begin(opened, LIMIT).await?;
                self.pool.put_session(session.clone());
                self.over_h2(session, head).await
            }
        }
    }

    async fn over_h1(
        &self,
        connection: Box<Connection>,
        head: &http::request::Parts,
    ) -> Result<(StatusCode, Body), Failure> {
        let (pool, flight) = (self.pool.clone(), Flight::uncounted(self.member.clone()));
        let exchange = Exchange::start(connection, pool, flight, head, Body::Empty, None, PATIENCE);
        let mut exchange = Box::new(exchange);
        let answered = poll_fn(|cx| exchange.poll_head(cx, &Waiter::PATIENT)).await;
        let head = answered.map_err(|broken| broken.failure)?;
        Ok((head.status, Body::H1Response(exchange)))
    }

    async fn over_h2(
        &self,
        session: Rc<h2::client::Session>,
        head: &http::request::Parts,
    ) -> Result<(StatusCode, Body), Failure> {
        let (flight, tls) = (Flight::uncounted(self.member.clone()), self.upstream.tls.is_some());
        let exchange =
            h2::client::Exchange::start(session, flight, head, Body::Empty, tls, PATIENCE);
        let mut exchange = Box::new(exchange);
        let answered = poll_fn(|cx| exchange.poll_head(cx, &Waiter::PATIENT)).await;
        let (status, _) = answered.map_err(|broken| broken.failure)?;
        Ok((status, Body::H2Response(exchange)))
    }
}

const PATIENCE: Patience = Patience { response: LIMIT, idle: LIMIT };
