//! The thread that checks and probes endpoints.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Serving;
use super::thread::runtime;
use crate::account::metrics::WorkerMetrics;
use crate::upstream::health::Watch;
use crate::upstream::probe::Probes;
use crate::upstream::tasks::Tasks;
use crate::worker::Command;

/// Watch and probe the endpoints of what is served until told to drain.
pub(super) fn run(
    metrics: &WorkerMetrics,
    serving: &Mutex<Serving>,
    commands: &mut UnboundedReceiver<Command>,
) -> io::Result<()> {
    let runtime = runtime()?;
    metrics.watch(runtime.metrics());
    let snapshot = Arc::clone(&serving.lock().snapshot);
    runtime.block_on(async {
        let (mut watch, mut probes) = (Watch::default(), Probes::default());
        let mut tasks = Tasks::default();
        watch.adopt(&snapshot.upstreams, &mut tasks);
        probes.adopt(&snapshot.upstreams, &mut tasks);
        drop(snapshot);
        loop {
            let command = tokio::select! {
                command = commands.recv() => command,
                never = tasks.watch() => match never {},
            };
            match command {
                Some(Command::Adopt(snapshot, done)) => {
                    watch.adopt(&snapshot.upstreams, &mut tasks);
                    probes.adopt(&snapshot.upstreams, &mut tasks);
                    // Whoever asked may have given up waiting.
                    let _ = done.send(());
                }
                Some(Command::Drain(_, done)) => {
                    let _ = done.send(true);
                    return;
                }
                Some(Command::Listen(..) | Command::Close(_)) => {}
                None => return,
            }
        }
    });
    runtime.shutdown_background();
    Ok(())
}
