//! The engine: workers, and the change from one snapshot to the next.

mod change;
mod crew;
mod explain;
mod panics;
mod status;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_core::plan::{Issue, Plan};

pub use change::{Diff, Prepared};
pub use explain::Explained;
pub use status::{
    EndpointHealth, EndpointStatus, EngineStatus, HealthChange, ListenerStatus, UpstreamStatus,
};

use crate::listen::{ListenSocket, Listener};
use crate::snapshot::Snapshot;
use crate::telemetry::explain::Summary;
use crate::telemetry::log::{self, Format, LogHandle};
use crate::telemetry::metrics::{EndpointState, Metrics};
use crate::worker::{Command, Shared};
use crew::Crew;

/// How long a commit waits for a worker to take it up. A worker is never busy for that long; the
/// bound keeps a fault of one from holding up whoever changes the configuration.
const ADOPTION: Duration = Duration::from_secs(5);

/// The data plane of a process.
pub struct Engine {
    shared: Arc<Shared>,
    serving: Arc<Mutex<Serving>>,
    crew: Crew,
    log: LogHandle,
}

/// What is served now.
struct Serving {
    /// Counts commits, so that a prepared change that was overtaken is noticed.
    generation: u64,
    snapshot: Arc<Snapshot>,
    listeners: Vec<Bound>,
}

/// A listener with a handle of each worker's socket, from which a worker that starts anew is given its own.
struct Bound {
    listener: Arc<Listener>,
    sockets: Vec<ListenSocket>,
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
        let snapshot = Snapshot::empty(workers);
        let serving = Arc::new(Mutex::new(Serving {
            generation: 0,
            snapshot: Arc::new(snapshot),
            listeners: Vec::new(),
        }));
        let crew = Crew::start(workers, &shared, &serving)?;
        Ok(Self { shared, serving, crew, log })
    }

    /// Build everything that `plan` asks for, new listeners bound, and disturb nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the plan.
    pub fn prepare(&self, mut plan: Plan) -> Result<Prepared, Vec<Issue>> {
        plan.workers = u32::try_from(self.crew.workers()).unwrap_or(u32::MAX);
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
        let mut serving = self.serving.lock();
        if serving.generation != prepared.base {
            return Err(Overtaken);
        }
        serving.generation += 1;
        let before = std::mem::replace(&mut serving.snapshot, prepared.snapshot.clone());
        prepared.snapshot.upstreams.iter().for_each(|upstream| upstream.apply());
        change::retire(&before, &prepared.snapshot);
        let mut old = std::mem::take(&mut serving.listeners);
        let mut opened = Vec::new();
        for kept in prepared.listeners {
            kept.listener.settings.store(kept.settings);
            let position = old.iter().position(|bound| bound.listener.id == kept.listener.id);
            match position {
                Some(position) => serving.listeners.push(old.swap_remove(position)),
                None => {
                    opened.push(kept.listener.clone());
                    serving
                        .listeners
                        .push(Bound { listener: kept.listener, sockets: kept.sockets });
                }
            }
        }
        self.adopt(&prepared.snapshot);
        self.shared.stories.trim(prepared.snapshot.plan.explain.keep);
        for bound in
            serving.listeners.iter().filter(|b| opened.iter().any(|o| o.id == b.listener.id))
        {
            self.crew.listen(bound);
        }
        for closed in &old {
            self.crew.close(closed.listener.id);
        }
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
        self.serving.lock().listeners.clear();
        self.crew.drain(limit)
    }

    fn adopt(&self, snapshot: &Arc<Snapshot>) {
        let (done, adopted) = mpsc::channel();
        let told = self.crew.tell_all(|| Command::Adopt(snapshot.clone(), done.clone()));
        for _ in 0..told {
            if adopted.recv_timeout(ADOPTION).is_err() {
                tracing::error!("a worker has not taken up the new configuration yet");
                break;
            }
        }
    }
}
