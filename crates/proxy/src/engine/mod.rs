//! The engine: workers, and the change from one snapshot to the next.

mod change;
mod checker;
mod crew;
mod explain;
mod panics;
mod serving;
mod status;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod thread;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_core::plan::{self, Issue, Plan};

pub use change::{Diff, Prepared};
pub use explain::Explained;
pub use status::{
    EndpointHealth, EndpointStatus, EngineStatus, HealthChange, ListenerStatus, UpstreamStatus,
};

use crate::snapshot::Snapshot;
use crate::telemetry::explain::Summary;
use crate::telemetry::log::{self, Format, LogHandle};
use crate::telemetry::metrics::{EndpointState, Metrics};
use crate::worker::Shared;
use crew::Crew;
use serving::{Bound, Serving};

/// The data plane of a process.
pub struct Engine {
    shared: Arc<Shared>,
    /// Locked for as long as it is looked at: a worker that starts anew must not wait for a commit, which
    /// may be waiting for it.
    serving: Arc<Mutex<Serving>>,
    /// Held by who changes what is served, until that is done.
    turn: Mutex<()>,
    crew: Crew,
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
        let metrics = Metrics::new(workers);
        panics::watch();
        let shared = Arc::new(Shared::new(metrics, workers));
        let serving = Arc::new(Mutex::new(Serving::begin(Snapshot::empty(workers))));
        let crew = Crew::start(workers, &shared, &serving)?;
        Ok(Self { shared, serving, turn: Mutex::default(), crew, log })
    }

    /// Build everything that `plan` asks for, new listeners bound, and disturb nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the plan.
    pub fn prepare(&self, mut plan: Plan) -> Result<Prepared, Vec<Issue>> {
        plan.workers = plan::Workers::started(self.crew.workers());
        let (generation, snapshot, listeners) = {
            let serving = self.serving.lock();
            let listeners = serving.listeners.iter().map(|bound| bound.listener.clone()).collect();
            (serving.generation, serving.snapshot.clone(), listeners)
        };
        change::prepare(plan, generation, &snapshot, listeners, &self.shared.metrics)
    }

    /// Serve `prepared` from now on; what it did not change is not disturbed. When this returns, every
    /// request that begins is decided by it.
    ///
    /// # Errors
    /// If another change was committed since it was prepared.
    pub fn commit(&self, prepared: Prepared) -> Result<(), Overtaken> {
        let _turn = self.turn.lock();
        let snapshot = prepared.snapshot.clone();
        let turnover = self.serving.lock().replace(prepared)?;
        self.crew.adopt(&snapshot);
        self.shared.stories.trim(snapshot.plan.explain.keep);
        let is_new = |bound: &&Bound| turnover.opened.contains(&bound.listener.id);
        self.serving.lock().listeners.iter().filter(is_new).for_each(|new| self.crew.listen(new));
        turnover.closed.into_iter().for_each(|listener| self.crew.close(listener));
        Ok(())
    }

    /// All metrics in the Prometheus text format.
    pub fn metrics(&self) -> String {
        let snapshot = self.serving.lock().snapshot.clone();
        let upstreams: std::collections::HashMap<_, _> =
            snapshot.upstreams.iter().map(|u| (u.plan.name.as_str(), u)).collect();
        let now = crate::clock::now();
        let members: std::collections::HashMap<(&str, &str), EndpointState> = upstreams
            .iter()
            .flat_map(|(name, upstream)| upstream.members.iter().map(move |member| (*name, member)))
            .map(|(name, member)| {
                let endpoint = &member.endpoint;
                let available = endpoint.health.available(now) && endpoint.is_open();
                let in_flight = u64::from(endpoint.load.in_flight());
                ((name, endpoint.address.as_str()), EndpointState { in_flight, available })
            })
            .collect();
        let dropped = snapshot.access_log.as_ref().map_or(0, |log| log.dropped());
        let state = |upstream: &str, address: &str| members.get(&(upstream, address)).copied();
        let upstream = |name: &str| upstreams.get(name).map(|upstream| upstream.admission.state());
        self.shared.metrics.render(state, upstream, dropped)
    }

    /// Listeners, upstreams and endpoints as they are now.
    pub fn status(&self) -> EngineStatus {
        let serving = self.serving.lock();
        let listeners = serving.listeners.iter().map(|bound| bound.listener.clone()).collect();
        let snapshot = serving.snapshot.clone();
        drop(serving);
        status::of(&snapshot, listeners, self.crew.workers())
    }

    /// How an endpoint of an upstream came to be as it is; `None` if there is no such endpoint.
    pub fn endpoint_health(&self, upstream: &str, address: &str) -> Option<EndpointHealth> {
        let snapshot = self.serving.lock().snapshot.clone();
        status::health(&snapshot, upstream, address)
    }

    /// What became of a recent request; `None` if it is not remembered.
    pub fn explain(&self, request_id: &str) -> Option<Explained> {
        let story = self.shared.stories.find(request_id)?;
        let snapshot = self.serving.lock().snapshot.clone();
        Some(explain::of(story, &snapshot))
    }

    /// The last `count` requests that stood out, the latest first.
    pub fn outstanding(&self, count: usize) -> Vec<Summary> {
        self.shared.stories.last(count).iter().map(|story| story.summary()).collect()
    }

    /// Open the access log's file anew, after it was renamed.
    pub fn reopen_logs(&self) {
        if let Some(log) = &self.serving.lock().snapshot.access_log {
            log.reopen();
        }
    }

    /// Log what `directives` ask for from now on.
    ///
    /// # Errors
    /// If they are malformed.
    pub fn set_log_filter(&self, directives: &str) -> Result<(), String> {
        self.log.set(directives)
    }

    /// Accept nothing more, let connections end for at most `limit`, then stop. True if all ended in time.
    pub fn drain(&self, limit: Duration) -> bool {
        let _turn = self.turn.lock();
        self.serving.lock().listeners.clear();
        self.crew.drain(limit)
    }
}
