//! Active health checks, and telling of changes of health.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, USER_AGENT};
use http::{Method, Request, StatusCode};
use tidegate_core::balance::SplitMix64;
use tidegate_core::failure::Failure;
use tidegate_core::health::Transition;
use tidegate_core::plan::HealthHttp;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::connect::{self, Opened};
use super::flight::Flight;
use super::pool::Pool;
use super::{Member, Upstream};
use crate::clock;
use crate::http::body::Body;
use crate::http::wait::{Patience, Waiter};
use crate::http::{h1, h2};

/// Log a change of health, if there is one.
pub fn log(upstream: &str, member: &Member, transition: Option<Transition>) {
    let Some(Transition { from, to, cause, .. }) = transition else { return };
    let (endpoint, from, to) = (&member.endpoint.address, from.label(), to.label());
    tracing::warn!(upstream, endpoint, from, to, %cause, "endpoint health changed");
}

/// The process' active checks: a task for each endpoint that is checked.
#[derive(Default)]
pub struct Checks(HashMap<u64, Check>);

struct Check {
    upstream: Arc<Upstream>,
    task: JoinHandle<()>,
}

impl Checks {
    /// Check the endpoints of `upstreams` from now on; checks that stay the same are not disturbed.
    pub fn adopt(&mut self, upstreams: &[Arc<Upstream>]) {
        let mut before = std::mem::take(&mut self.0);
        for upstream in upstreams.iter().filter(|upstream| upstream.plan.health.http.is_some()) {
            for member in &upstream.members {
                let check = match before.remove(&member.id) {
                    Some(check) if Arc::ptr_eq(&check.upstream, upstream) => check,
                    replaced => {
                        if let Some(check) = replaced {
                            check.task.abort();
                        }
                        let task = tokio::task::spawn_local(run(upstream.clone(), member.clone()));
                        Check { upstream: upstream.clone(), task }
                    }
                };
                self.0.insert(member.id, check);
            }
        }
        before.into_values().for_each(|check| check.task.abort());
    }
}

async fn run(upstream: Arc<Upstream>, member: Arc<Member>) {
    let Some(http) = &upstream.plan.health.http else { return };
    let (interval, limit) =
        (upstream.plan.health.interval.duration(), upstream.plan.health.timeout.duration());
    // Spread over the interval, so that endpoints are not checked all at once.
    let mut random = SplitMix64::new(member.id);
    let mut pause = Duration::from_nanos(random.below(interval.as_nanos() as u64 / 10));
    loop {
        sleep(pause).await;
        let verdict = match timeout(limit, check(&upstream, &member, http)).await {
            Ok(verdict) => verdict,
            Err(_) => Err(format!("no answer within {limit:?}")),
        };
        let health = &member.endpoint.health;
        let transition = match verdict {
            Ok(()) => health.check_passed(clock::now()),
            Err(cause) => health.check_failed(clock::now(), &cause),
        };
        log(&upstream.plan.name, &member, transition);
        let jitter = random.below(interval.as_nanos() as u64 / 5);
        pause = interval.mul_f64(0.9) + Duration::from_nanos(jitter);
    }
}

/// One check, on a connection of its own.
async fn check(upstream: &Upstream, member: &Arc<Member>, http: &HealthHttp) -> Result<(), String> {
    let opened = connect::open_uncounted(upstream, member).await.map_err(told)?;
    let host = http.host.clone().unwrap_or_else(|| member.endpoint.address.clone());
    let host = if host.starts_with("unix:") { "localhost".into() } else { host };
    let request = Request::builder()
        .method(Method::GET)
        .uri(&http.path)
        .header(HOST, host)
        .header(USER_AGENT, "tidegate-health")
        .body(())
        .map_err(|error| error.to_string())?;
    let status = ask(upstream, member, opened, request).await.map_err(told)?;
    let passes = match http.statuses.as_slice() {
        [] => status.is_success(),
        statuses => statuses.contains(&status.as_u16()),
    };
    if passes { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
}

async fn ask(
    upstream: &Upstream,
    member: &Arc<Member>,
    opened: Opened,
    request: Request<()>,
) -> Result<StatusCode, Failure> {
    let (head, ()) = request.into_parts();
    let limit = upstream.plan.health.timeout.duration();
    let patience = Patience { response: limit, idle: limit };
    let flight = Flight::uncounted(member.clone());
    match opened.version {
        tidegate_core::plan::HttpVersion::Http1 => {
            let pool = Rc::new(Pool::new(member.clone(), &upstream.plan.pool));
            let connection = h1::client::Connection::new(opened.io, Instant::now(), opened.slot);
            let mut exchange = h1::client::Exchange::start(
                Box::new(connection),
                pool,
                flight,
                &head,
                Body::Empty,
                None,
                patience,
            );
            let answered =
                std::future::poll_fn(|cx| exchange.poll_head(cx, &Waiter::PATIENT)).await;
            answered.map(|head| head.status).map_err(|broken| broken.failure)
        }
        tidegate_core::plan::HttpVersion::Http2 => {
            let session = h2::client::Session::begin(opened, limit).await?;
            let tls = upstream.tls.is_some();
            let mut exchange =
                h2::client::Exchange::start(session, flight, &head, Body::Empty, tls, patience);
            let answered =
                std::future::poll_fn(|cx| exchange.poll_head(cx, &Waiter::PATIENT)).await;
            answered.map(|(status, _)| status).map_err(|broken| broken.failure)
        }
    }
}

fn told(failure: Failure) -> String {
    failure.meaning().label.replace('_', " ")
}
