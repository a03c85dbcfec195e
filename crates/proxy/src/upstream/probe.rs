//! Asking endpoints how loaded they are, beside the requests.
//!
//! Probes go out from one thread of the process, and their answers are every worker's. An endpoint
//! is asked on one connection that is kept; of an upstream, `limit` at once. So the cost is
//! endpoints ÷ interval whatever the load, and a hanging endpoint delays few others, and not for long.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{Request, StatusCode};
use tidegate_core::failure::Failure;
use tidegate_core::load::Report;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::fetch::Fetch;
use super::pool::Pool;
use super::tasks::{Task, Tasks};
use super::{Membership, Upstream};
use crate::net::clock;

/// An answer that takes longer is of no use: it tells of the past.
const LIMIT: Duration = Duration::from_secs(1);
/// Longest answer.
const MOST: usize = 1024;

/// All probing of the process, by the upstream's name.
#[derive(Default)]
pub struct Probes(HashMap<String, Probing>);

struct Probing {
    upstream: Arc<Upstream>,
    membership: Arc<Membership>,
    _lanes: Vec<Task>,
}

impl Probes {
    /// Probe the endpoints of `upstreams` from now on; upstreams that stay the same are not disturbed.
    pub fn adopt(&mut self, upstreams: &[Arc<Upstream>], tasks: &mut Tasks) {
        let mut before = std::mem::take(&mut self.0);
        for upstream in upstreams {
            let Some(probe) = &upstream.plan.balance.probe else { continue };
            let name = &upstream.plan.name;
            let membership = &*upstream.membership();
            let probing = match before.remove(name) {
                Some(same) if same.is_of(upstream, membership) => same,
                _ => {
                    let lanes = 0..membership.members.len().min(probe.limit.get() as usize);
                    let lane = |lane| tasks.spawn(run(upstream.clone(), membership.clone(), lane));
                    let lanes = lanes.map(lane).collect();
                    let (upstream, membership) = (upstream.clone(), membership.clone());
                    Probing { upstream, membership, _lanes: lanes }
                }
            };
            self.0.insert(name.clone(), probing);
        }
    }
}

impl Probing {
    fn is_of(&self, upstream: &Arc<Upstream>, membership: &Arc<Membership>) -> bool {
        Arc::ptr_eq(&self.upstream, upstream) && Arc::ptr_eq(&self.membership, membership)
    }
}

/// Probe every `limit`th endpoint, one after the other, again and again.
async fn run(upstream: Arc<Upstream>, membership: Arc<Membership>, lane: usize) {
    let Some(probe) = &upstream.plan.balance.probe else { return };
    let members = membership.members.iter().skip(lane).step_by(probe.limit.get() as usize);
    let pools: Vec<_> = members
        .map(|member| (member, Rc::new(Pool::new(member.clone(), &upstream.plan.pool))))
        .collect();
    let mut rounds = interval(probe.interval.duration());
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        for (member, pool) in &pools {
            let fetch = Fetch {
                upstream: &upstream,
                member,
                address: &member.address,
                pool,
                reuse: true,
                limit: LIMIT,
            };
            let asked = timeout(LIMIT, ask(&fetch, &probe.path)).await;
            match asked.unwrap_or(Err(Failure::ResponseTimeout)) {
                Ok(Some(report)) => member.endpoint.load.report(report, clock::now()),
                Ok(None) => complain(&fetch, "no report in its answer"),
                Err(failure) => complain(&fetch, failure.meaning().label),
            }
        }
    }
}

/// One probe.
async fn ask(fetch: &Fetch<'_>, path: &str) -> Result<Option<Report>, Failure> {
    let request = Request::builder()
        .uri(path)
        .header(HOST, fetch.host(None).ok_or(Failure::Internal)?)
        .header(USER_AGENT, "tidegate-probe")
        .body(());
    let (head, ()) = request.map_err(|_| Failure::Internal)?.into_parts();
    let mut fetched = fetch.send(&head, &Bytes::new(), false).await?;
    let good = fetched.head.status == StatusCode::OK;
    let content = fetched.read(MOST, MOST).await?;
    let told = (good && content.whole).then_some(content.start);
    Ok(told.and_then(|content| Report::from_probe(&content)))
}

/// Without a report the endpoint is judged by what is seen of it: nothing for people to act on at once.
fn complain(fetch: &Fetch<'_>, cause: &str) {
    let (upstream, endpoint) = (&fetch.upstream.plan.name, &fetch.member.endpoint.address);
    tracing::debug!(upstream, endpoint, cause, "a probe brought no report");
}
