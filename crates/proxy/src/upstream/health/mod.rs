//! Active health checks, the comparison of endpoints with each other, and telling of changes of health.
//!
//! All of it runs on one thread of the process. A checked endpoint costs it a small task that sleeps;
//! what a check needs, it has only while it runs, apart from the connection that it keeps.

mod check;
mod grpc;
mod http;
mod outliers;
mod words;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::balance::SplitMix64;
use tidegate_core::plan;
use tokio::time::{Instant, sleep_until, timeout};

pub use check::Check;

use super::fetch::Fetch;
use super::pool::Pool;
use super::tasks::{Task, Tasks};
use super::{Member, Membership, Upstream};
use crate::long_work::LongWork;
use crate::net::clock;

/// Checks begin at multiples of this time, so that the thread wakes once for many of them.
const GRID: Duration = Duration::from_millis(20);

/// All that is watched, by the upstream's name.
#[derive(Default)]
pub struct Watch(HashMap<String, Watched>);

/// An upstream that is watched.
struct Watched {
    upstream: Rc<Current>,
    /// The endpoints that have their tasks.
    membership: Arc<Membership>,
    /// By the member's id.
    checks: HashMap<u64, Task>,
    _comparison: Task,
}

/// An upstream as it is configured by now. Tasks that run on look here each time.
struct Current(RefCell<Arc<Upstream>>);

impl Watch {
    /// Watch `upstreams` from now on; checks that stay the same are not disturbed.
    pub fn adopt(&mut self, upstreams: &[Arc<Upstream>], tasks: &mut Tasks) {
        let mut before = std::mem::take(&mut self.0);
        for upstream in upstreams {
            let (name, watched) = match before.remove_entry(&upstream.plan.name) {
                Some((name, mut watched)) => {
                    watched.adopt(upstream, tasks);
                    (name, watched)
                }
                None => (upstream.plan.name.clone(), Watched::new(upstream, tasks)),
            };
            self.0.insert(name, watched);
        }
    }

    /// Let picks go by how the endpoints stand now, without waiting for a request that finds something changed.
    pub fn renew(&self, long_work: &LongWork) {
        let now = clock::now();
        self.0.values().for_each(|watched| watched.membership.renew(now, long_work));
    }
}

impl Watched {
    fn new(upstream: &Arc<Upstream>, tasks: &mut Tasks) -> Self {
        let current = Rc::new(Current(RefCell::new(upstream.clone())));
        let comparison = tasks.spawn(outliers::compare(current.clone()));
        let membership = upstream.membership.load_full();
        let mut watched =
            Self { upstream: current, membership, checks: HashMap::new(), _comparison: comparison };
        watched.check(tasks);
        watched
    }

    fn adopt(&mut self, upstream: &Arc<Upstream>, tasks: &mut Tasks) {
        if self.upstream.is(upstream, &self.membership) {
            return;
        }
        self.membership = upstream.membership.load_full();
        let before = self.upstream.0.replace(upstream.clone());
        if before.plan.health != upstream.plan.health {
            self.checks.clear();
        }
        self.check(tasks);
    }

    /// Have a task for each member that is to be checked, and no other.
    fn check(&mut self, tasks: &mut Tasks) {
        let mut before = std::mem::take(&mut self.checks);
        let upstream = self.upstream.get();
        if upstream.check.is_none() {
            return;
        }
        for member in &self.membership.members {
            let task = before
                .remove(&member.id)
                .unwrap_or_else(|| tasks.spawn(check(self.upstream.clone(), member.clone())));
            self.checks.insert(member.id, task);
        }
    }
}

impl Current {
    fn get(&self) -> Arc<Upstream> {
        self.0.borrow().clone()
    }

    /// Whether it is `upstream` still, with the same endpoints.
    fn is(&self, upstream: &Arc<Upstream>, membership: &Arc<Membership>) -> bool {
        Arc::ptr_eq(&self.0.borrow(), upstream) && Arc::ptr_eq(&upstream.membership(), membership)
    }
}

/// Check a member again and again.
async fn check(upstream: Rc<Current>, member: Arc<Member>) {
    let mut random = SplitMix64::new(member.id);
    let mut due = Instant::now();
    let mut pool = pool(&upstream.get(), &member);
    let spread = upstream.get().plan.health.interval.duration();
    // Spread over the interval, so that endpoints are not checked all at once.
    due += Duration::from_nanos(random.below(spread.as_nanos() as u64 / 10));
    loop {
        sleep_until(on_grid(due)).await;
        let began = Instant::now();
        let upstream = upstream.get();
        let settings = &upstream.plan.health;
        let health = &member.endpoint.health;
        if health.state().is_in_service() {
            // Kept on the heap for as long as it runs: between checks a task is small.
            let passed = Box::pin(once(&upstream, &member, &pool)).await;
            upstream.metrics.health.checked(passed.is_ok(), began.elapsed());
            let transition = match &passed {
                Ok(()) => health.check_passed(clock::now()),
                Err(cause) => health.check_failed(clock::now(), cause),
            };
            member.health_changed(transition);
            if passed.is_err() {
                pool = self::pool(&upstream, &member);
            }
        } else {
            pool.sweep(began);
        }
        let interval = match health.is_in_doubt() {
            true => settings.interval.min(settings.interval_down),
            false => settings.interval,
        };
        due = began + vary(interval, &mut random);
    }
}

/// One check, within its time.
async fn once(upstream: &Upstream, member: &Arc<Member>, pool: &Rc<Pool>) -> Result<(), String> {
    let Some(check) = &upstream.check else { return Ok(()) };
    let limit = upstream.plan.health.timeout.duration();
    let elsewhere = upstream.plan.health.port.and_then(|port| member.address.with_port(port.get()));
    let fetch = Fetch {
        upstream,
        member,
        address: elsewhere.as_ref().unwrap_or(&member.address),
        pool,
        reuse: upstream.plan.health.reuse,
        // More than the check may take: what ends it is its own time, with words that say so.
        limit: limit * 2,
    };
    let checked = timeout(limit, check.run(&fetch)).await;
    checked.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
}

/// The connection that is kept from one check to the next.
fn pool(upstream: &Upstream, member: &Arc<Member>) -> Rc<Pool> {
    let max_idle = u32::from(upstream.plan.health.reuse);
    let settings = plan::Pool { max_idle, ..upstream.plan.pool.clone() };
    Rc::new(Pool::new(member.clone(), &settings))
}

/// `interval`, give or take a tenth.
fn vary(interval: plan::Timeout, random: &mut SplitMix64) -> Duration {
    let interval = interval.duration();
    let fifth = u64::try_from(interval.as_nanos() / 5).unwrap_or(u64::MAX);
    interval.mul_f64(0.9) + Duration::from_nanos(random.below(fifth.max(1)))
}

/// The next point of the grid.
fn on_grid(due: Instant) -> Instant {
    let past = clock::moment(due).0 % GRID.as_nanos() as u64;
    due + GRID - Duration::from_nanos(past)
}
