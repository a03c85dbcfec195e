//! The engine: workers, and the change from one snapshot to the next.

mod absent;
mod ask;
mod authenticators;
mod caches;
mod change;
mod checker;
mod common;
mod diff;
mod endpoint_health;
mod explain;
mod fleets;
mod inspect;
pub mod log;
mod metrics;
mod models;
mod panics;
mod predictions;
mod rate_limits;
mod reading;
mod routing;
mod serving;
mod status;
mod stores;
mod supply;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod thread;
mod threads;
mod token_check;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tidegate_core::plan::{self, Issue, Plan};
use tidegate_core::predict::features::SCHEMA;

pub use change::Prepared;
use change::{Existing, Supplied};
pub use diff::Diff;
pub use inspect::{NoAnswer, inspect};
pub use reading::Refused;

use crate::account::explain::Summary;
use crate::account::outbox::{Notice, TimedNotice};
use crate::account::samples;
use crate::objects::auth::live::LiveAuthenticators;
use crate::quic::Secret;
use crate::snapshot::Snapshot;
use crate::upstream::live::LiveEndpoints;
use crate::upstream::served_model::LiveModels;
use common::Common;
use endpoint_health::EndpointHealth;
use explain::Explained;
use log::{Format, LogHandle};
use reading::Items;
use serving::{Bound, Serving};
use status::EngineStatus;
use threads::Threads;

/// How long a cache may go on to write to its disk when all has ended.
const CACHES_CLOSE: Duration = Duration::from_secs(5);

/// The data plane of a process.
pub struct Engine {
    common: Arc<Common>,
    /// Held while what is served changes.
    turn: Mutex<()>,
    threads: Threads,
    /// What plans are made of.
    items: Mutex<Items>,
    /// What sources and operators say of endpoints. Locked after `turn`.
    live: Mutex<LiveEndpoints>,
    live_authenticators: LiveAuthenticators,
    models: LiveModels,
    quic_secret: Secret,
    log: LogHandle,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log filter is malformed.
    #[error("{0}")]
    Log(String),
    /// A thread could not be started.
    #[error("a worker cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A prepared change that came too late.
#[derive(Debug, thiserror::Error)]
#[error("another change was committed after this one was prepared")]
pub struct Overtaken;

impl Engine {
    /// Start `workers` workers with nothing to serve.
    ///
    /// # Errors
    /// If the log's `directives` are malformed or a thread cannot be started.
    pub fn start(workers: usize, format: Format, directives: &str) -> Result<Self, StartError> {
        let log = log::init(format, directives).map_err(StartError::Log)?;
        log.set(directives).map_err(StartError::Log)?;
        panics::watch();
        let common = Arc::new(Common::new(workers, Serving::begin(Snapshot::empty(workers))));
        let threads = Threads::start(workers, &common)?;
        let (turn, items, live) = (Mutex::default(), Mutex::default(), Mutex::default());
        let live_authenticators = LiveAuthenticators::default();
        let models = LiveModels::default();
        let quic_secret = Secret::default();
        Ok(Self {
            common,
            turn,
            threads,
            items,
            live,
            live_authenticators,
            models,
            quic_secret,
            log,
        })
    }

    /// Build everything that the plan in `text` asks for, new listeners bound, and disturb nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the plan, or which of its items must cross whole.
    pub fn prepare(&self, text: &[u8]) -> Result<Prepared, Refused> {
        let plan = self.items.lock().read(text)?;
        self.build(plan).map_err(Refused::Issues)
    }

    fn build(&self, mut plan: Plan) -> Result<Prepared, Vec<Issue>> {
        plan.workers = plan::Workers::started(self.threads.workers());
        let (generation, snapshot, existing) = {
            let serving = self.common.serving.lock();
            let listeners = serving.listeners.iter().map(|bound| bound.listener.clone()).collect();
            let existing = Existing { listeners, parting: serving.parting() };
            (serving.generation, serving.snapshot.clone(), existing)
        };
        let accounts = &self.common.accounts;
        let supplied = Supplied {
            endpoints: &self.live,
            authenticators: &self.live_authenticators,
            quic_secret: &self.quic_secret,
        };
        change::prepare(plan, generation, &snapshot, &existing, &supplied, accounts)
    }

    /// Serve `prepared` from now on; what it did not change is not disturbed. When this returns, every
    /// request that begins is decided by it.
    ///
    /// # Errors
    /// If another change was committed since it was prepared.
    pub fn commit(&self, prepared: Prepared) -> Result<(), Overtaken> {
        let Common { accounts, serving, .. } = &*self.common;
        let _turn = self.turn.lock();
        let snapshot = prepared.snapshot.clone();
        // In this order: what is served is never held up by what is being prepared.
        let live = self.live.lock();
        let turnover = serving.lock().replace(prepared, &live, accounts)?;
        drop(live);
        self.models.serve(&snapshot.upstreams);
        self.threads.adopt(&snapshot);
        drop(turnover.before);
        accounts.stories.trim(snapshot.plan.explain.keep);
        let is_new = |bound: &&Bound| turnover.opened.contains(&bound.listener.id);
        serving.lock().listeners.iter().filter(is_new).for_each(|new| self.threads.listen(new));
        turnover.closed.into_iter().for_each(|listener| self.threads.close(listener));
        Ok(())
    }

    /// What is served now.
    fn snapshot(&self) -> Arc<Snapshot> {
        self.common.serving.lock().snapshot.clone()
    }

    /// All metrics in the Prometheus text format.
    pub fn metrics(&self) -> String {
        metrics::page(&self.common.accounts.metrics, &self.snapshot())
    }

    /// Listeners, upstreams and endpoints as they are now.
    fn status(&self) -> EngineStatus {
        let serving = self.common.serving.lock();
        let listeners = serving.listeners.iter().map(|bound| bound.listener.clone()).collect();
        let snapshot = serving.snapshot.clone();
        drop(serving);
        status::of(&snapshot, listeners, &self.live.lock(), self.threads.workers())
    }

    /// How an endpoint of an upstream came to be as it is; `None` if there is no such endpoint.
    fn endpoint_health(&self, upstream: &str, address: &str) -> Option<EndpointHealth> {
        endpoint_health::of(&self.snapshot(), upstream, address)
    }

    /// What became of a recent request; `None` if it is not remembered.
    fn explain(&self, request_id: &str) -> Option<Explained> {
        let story = self.common.accounts.stories.find(request_id)?;
        Some(explain::of(story, &self.snapshot()))
    }

    /// The last `count` requests that stood out, the latest first.
    fn outstanding(&self, count: usize) -> Vec<Summary> {
        self.common.accounts.stories.last(count).iter().map(|story| story.summary()).collect()
    }

    /// The notices that have not been taken yet; where there are none, those that come within `limit`. `None`:
    /// the engine has drained, and there will be no more.
    pub fn wait(&self, limit: Duration) -> Option<Vec<TimedNotice>> {
        let (accounts, deadline) = (&self.common.accounts, Instant::now() + limit);
        loop {
            // Samples wake nothing: they are looked for.
            let left = deadline.saturating_duration_since(Instant::now());
            let mut notices = accounts.outbox.wait(left.min(samples::EVERY))?;
            let now = Instant::now();
            let notice = |(upstream, rows)| Notice::Samples { upstream, features: SCHEMA, rows };
            notices
                .extend(accounts.samples.take(now).into_iter().map(notice).map(TimedNotice::now));
            if !notices.is_empty() || now >= deadline {
                return Some(notices);
            }
        }
    }

    /// Accept nothing more, let connections end for at most `limit`, then stop. True if all ended in time.
    pub fn drain(&self, limit: Duration) -> bool {
        let _turn = self.turn.lock();
        self.common.serving.lock().listeners.clear();
        let finished = self.threads.drain(limit);
        self.snapshot().caches.iter().for_each(|cache| cache.close(CACHES_CLOSE));
        self.common.long_work.end();
        self.common.hashing.end();
        // Here, for the engine may outlive what called this: a thread of Python's may hold it.
        if let Some(log) = &self.snapshot().access_log {
            log.end();
        }
        self.common.accounts.outbox.end();
        finished
    }
}
