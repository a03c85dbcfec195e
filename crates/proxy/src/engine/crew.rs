//! The threads: workers, and one that checks endpoints' health.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Bound, Serving, checker, panics};
use crate::snapshot::Snapshot;
use crate::telemetry::metrics::Metrics;
use crate::worker::{self, Command, Shared, Worker};

/// How long a commit waits for a worker to take it up. A worker is never busy for that long; the
/// bound keeps a fault of one from holding up whoever changes the configuration.
const ADOPTION: Duration = Duration::from_secs(5);

/// Time beyond a drain's limit after which a worker that does not answer is given up.
const GRACE: Duration = Duration::from_secs(2);

/// All threads of an engine.
pub struct Crew {
    pub(super) members: Vec<Hand>,
    /// Takes the same snapshots as the workers.
    pub(super) checker: Hand,
}

/// A thread, and what it is told by.
pub(super) struct Hand {
    pub(super) commands: UnboundedSender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Crew {
    /// Start the threads.
    pub fn start(
        workers: usize,
        shared: &Arc<Shared>,
        serving: &Arc<Mutex<Serving>>,
    ) -> io::Result<Self> {
        let member = |index| {
            let (shared, serving) = (shared.clone(), serving.clone());
            Hand::start(&format!("worker-{index}"), move |commands| {
                keep_running(index, &shared.metrics, |first| {
                    run_worker(index, &shared, &serving, first, commands)
                });
            })
        };
        let members = (0..workers).map(member).collect::<io::Result<_>>()?;
        let (shared, serving) = (shared.clone(), serving.clone());
        let checker = Hand::start("health", move |commands| {
            let metrics = &shared.metrics;
            keep_running(workers, metrics, |_| {
                checker::run(metrics.worker(workers), &serving, commands)
            });
        })?;
        Ok(Self { members, checker })
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.members.len()
    }

    /// Decide by `snapshot` from now on. When this returns, every thread does.
    pub fn adopt(&self, snapshot: &Arc<Snapshot>) {
        let (done, adopted) = mpsc::channel();
        let mut left = self.tell_all(|| Command::Adopt(snapshot.clone(), done.clone()));
        // A thread that panics before it answers takes the snapshot up when it starts anew.
        drop(done);
        while left > 0 {
            match adopted.recv_timeout(ADOPTION) {
                Ok(()) => left -= 1,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    tracing::error!("a worker has not taken up the new configuration yet");
                    return;
                }
            }
        }
    }

    /// Give a command to every thread; answers with how many took it.
    pub fn tell_all(&self, command: impl Fn() -> Command) -> usize {
        let all = self.members.iter().chain([&self.checker]);
        all.filter(|hand| hand.commands.send(command()).is_ok()).count()
    }

    /// Accept connections on every worker.
    pub fn listen(&self, bound: &Bound) {
        for (hand, socket) in self.members.iter().zip(&bound.sockets) {
            match socket.duplicate() {
                // A worker that is gone has been reported by its own thread.
                Ok(socket) => {
                    _ = hand.commands.send(Command::Listen(bound.listener.clone(), socket))
                }
                Err(error) => {
                    tracing::error!(listener = bound.listener.name, %error, "a worker cannot listen");
                }
            }
        }
    }

    /// Accept no more connections of a listener.
    pub fn close(&self, listener: u64) {
        self.tell_all(|| Command::Close(listener));
    }

    /// Let connections end for at most `limit`, then end the threads.
    pub fn drain(&self, limit: Duration) -> bool {
        let (done, drained) = mpsc::channel();
        let told = self.tell_all(|| Command::Drain(limit, done.clone()));
        let mut finished = true;
        for _ in 0..told {
            finished &= drained.recv_timeout(limit + GRACE).unwrap_or(false);
        }
        for hand in self.members.iter().chain([&self.checker]) {
            if let Some(thread) = hand.thread.lock().take() {
                // A panic was logged when it happened.
                let _ = thread.join();
            }
        }
        finished
    }
}

impl Hand {
    pub(super) fn start(
        name: &str,
        body: impl FnOnce(&mut UnboundedReceiver<Command>) + Send + 'static,
    ) -> io::Result<Self> {
        let (commands, mut receiver) = unbounded_channel();
        let thread =
            std::thread::Builder::new().name(name.into()).spawn(move || body(&mut receiver))?;
        Ok(Self { commands, thread: Mutex::new(Some(thread)) })
    }
}

/// Run thread `index`, and again each time it panics; `run` is told whether it is the first time.
pub(super) fn keep_running(
    index: usize,
    metrics: &Arc<Metrics>,
    mut run: impl FnMut(bool) -> io::Result<()>,
) {
    panics::count_for(metrics.clone(), index);
    let (worker, mut first) = (metrics.worker_label(index), true);
    loop {
        match catch_unwind(AssertUnwindSafe(|| run(first))) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::error!(worker, %error, "a worker cannot run");
                return;
            }
            Err(panic) => {
                let message = worker::panic_message(&*panic);
                tracing::error!(worker, message, "a worker panicked and is started anew");
                metrics.worker(index).restarted();
                first = false;
            }
        }
    }
}

/// Run a worker until it is drained. One that is started anew serves the listeners that are there by then.
pub(super) fn run_worker(
    index: usize,
    shared: &Arc<Shared>,
    serving: &Mutex<Serving>,
    first: bool,
    commands: &mut UnboundedReceiver<Command>,
) -> io::Result<()> {
    let runtime = runtime()?;
    shared.metrics.worker(index).watch(runtime.metrics());
    let (snapshot, listeners) = {
        let serving = serving.lock();
        let sockets = serving.listeners.iter().filter(|_| !first).filter_map(|bound| {
            Some((bound.listener.clone(), bound.sockets.get(index)?.duplicate().ok()?))
        });
        (serving.snapshot.clone(), sockets.collect::<Vec<_>>())
    };
    runtime.block_on(async {
        let worker = Worker::new(index, shared.clone(), snapshot);
        worker::run(worker, listeners, commands).await;
    });
    // Connections that are still there have had their time.
    runtime.shutdown_background();
    Ok(())
}

pub(super) fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}
