//! A thread of the engine: how it is told what to do, and started anew where it panics.

use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::panics;
use crate::account::Accounts;
use crate::account::outbox::Notice;
use crate::snapshot::Snapshot;
use crate::worker::Command;

/// Time between two starts of a thread at the least, so that one that panics at every start does not take a core.
const BETWEEN_STARTS: Duration = Duration::from_millis(100);

/// Holds a thread: what it is told by, and how its end is awaited.
pub(super) struct ThreadHandle {
    pub(super) commands: UnboundedSender<Command>,
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

impl ThreadHandle {
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
    accounts: &Arc<Accounts>,
    mut run: impl FnMut(bool) -> io::Result<()>,
) {
    panics::count_for(accounts.clone(), index);
    let metrics = &accounts.metrics;
    let (worker, mut first) = (metrics.worker_label(index), true);
    loop {
        let began = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| run(first))) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::error!(worker, %error, "a worker cannot run");
                return;
            }
            Err(panic) => {
                let message = panics::panic_message(&*panic);
                tracing::error!(worker, message, "a worker panicked and is started anew");
                metrics.worker(index).restarted();
                let (thread, message) = (worker.clone(), message.to_owned());
                accounts.outbox.tell(Notice::ThreadRestarted { thread, message });
                first = false;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the thread has nothing to serve until it is started anew"
                )]
                std::thread::sleep(BETWEEN_STARTS.saturating_sub(began.elapsed()));
            }
        }
    }
}

/// Do what a thread is told that is no worker: adopt snapshots, until it is to drain, or nothing can tell it anything
/// any more.
pub(super) fn obey(command: Option<Command>, adopt: impl FnOnce(&Snapshot)) -> ControlFlow<()> {
    match command {
        Some(Command::Adopt(snapshot, done)) => {
            adopt(&snapshot);
            // The caller may have given up waiting.
            let _ = done.send(());
        }
        Some(Command::Drain(_, done)) => {
            let _ = done.send(true);
            return ControlFlow::Break(());
        }
        Some(Command::Listen(..) | Command::Close(_)) => {}
        None => return ControlFlow::Break(()),
    }
    ControlFlow::Continue(())
}

/// Its event loop.
pub(super) fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}
