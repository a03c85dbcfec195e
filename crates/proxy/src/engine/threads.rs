//! The threads: workers, one that checks endpoints' health, one that speaks to stores, and those for long work.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::common::Common;
use super::thread::{ThreadHandle, keep_running, runtime};
use super::{Bound, checker, stores};
use crate::local::Local;
use crate::snapshot::Snapshot;
use crate::worker::{self, Command};

/// How long a commit waits for a worker to take it up. A worker is never busy for that long; the
/// bound keeps a fault of one from holding up changes of the configuration.
const ADOPTION: Duration = Duration::from_secs(5);

/// Time beyond a drain's limit after which a worker that does not answer is given up.
const GRACE: Duration = Duration::from_secs(2);

/// Threads of each queue of long work.
const LONG_WORKERS: usize = 2;

/// All threads of an engine.
pub(super) struct Threads {
    pub(super) workers: Vec<ThreadHandle>,
    /// Takes the same snapshots as the workers.
    pub(super) checker: ThreadHandle,
    /// Takes the same snapshots as the workers.
    pub(super) stores: ThreadHandle,
}

impl Threads {
    /// Start the threads.
    pub(super) fn start(workers: usize, common: &Arc<Common>) -> io::Result<Self> {
        let worker = |index| {
            let common = common.clone();
            ThreadHandle::start(&format!("worker-{index}"), move |commands| {
                keep_running(index, &common.accounts, |first| {
                    run_worker(index, &common, first, commands)
                });
            })
        };
        let workers: Vec<_> = (0..workers).map(worker).collect::<io::Result<_>>()?;
        let (index, checked) = (workers.len(), common.clone());
        let checker = ThreadHandle::start("health", move |commands| {
            keep_running(index, &checked.accounts, |_| checker::run(index, &checked, commands));
        })?;
        let (of_stores, spoken) = (index + 2, common.clone());
        let stores = ThreadHandle::start("stores", move |commands| {
            keep_running(of_stores, &spoken.accounts, |_| {
                stores::run(of_stores, &spoken, commands)
            });
        })?;
        for (name, queue) in [("long-work", &common.long_work), ("hashing", &common.hashing)] {
            for number in 0..LONG_WORKERS {
                let (index, common, queue) = (index + 1, common.clone(), queue.clone());
                // It ends with the queue.
                let thread = std::thread::Builder::new().name(format!("{name}-{number}"));
                let _detached = thread.spawn(move || {
                    keep_running(index, &common.accounts, |_| {
                        queue.run();
                        Ok(())
                    });
                })?;
            }
        }
        Ok(Self { workers, checker, stores })
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.workers.len()
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

    /// Check and probe the endpoints that `snapshot` has now.
    pub fn watch(&self, snapshot: &Arc<Snapshot>) {
        let (done, _) = mpsc::channel();
        // A checker that is gone has been reported by its own thread.
        let _ = self.checker.commands.send(Command::Adopt(snapshot.clone(), done));
    }

    /// Give a command to every thread; answers with how many took it.
    pub fn tell_all(&self, command: impl Fn() -> Command) -> usize {
        self.all().filter(|thread| thread.commands.send(command()).is_ok()).count()
    }

    fn all(&self) -> impl Iterator<Item = &ThreadHandle> {
        self.workers.iter().chain([&self.checker, &self.stores])
    }

    /// Accept connections on every worker.
    pub fn listen(&self, bound: &Bound) {
        for (index, worker) in self.workers.iter().enumerate() {
            match bound.binding.of_worker(index) {
                // A worker that is gone has been reported by its own thread.
                Ok(sockets) => {
                    _ = worker.commands.send(Command::Listen(bound.listener.clone(), sockets))
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
        for handle in self.all() {
            if let Some(thread) = handle.thread.lock().take() {
                // A panic was logged when it happened.
                let _ = thread.join();
            }
        }
        finished
    }
}

/// Run a worker until it is drained. One that is started anew serves the listeners that are there by then.
pub(super) fn run_worker(
    index: usize,
    common: &Common,
    first: bool,
    commands: &mut UnboundedReceiver<Command>,
) -> io::Result<()> {
    let runtime = runtime()?;
    let Common { accounts, serving, long_work, hashing } = common;
    accounts.metrics.worker(index).watch(runtime.metrics());
    let (snapshot, listeners) = {
        let serving = serving.lock();
        let sockets = serving.listeners.iter().filter(|_| !first).filter_map(|bound| {
            Some((bound.listener.clone(), bound.binding.of_worker(index).ok()?))
        });
        (serving.snapshot.clone(), sockets.collect::<Vec<_>>())
    };
    runtime.block_on(async {
        let local =
            Local::new(index, accounts.clone(), [long_work, hashing].map(Arc::clone), snapshot);
        worker::run(local, listeners, commands).await;
    });
    // Connections that are still there have had their time.
    runtime.shutdown_background();
    Ok(())
}
