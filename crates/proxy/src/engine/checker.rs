//! The thread that checks and probes endpoints.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::common::Common;
use super::thread::{obey, runtime};
use crate::http::h3::code::Code;
use crate::quic;
use crate::snapshot::Snapshot;
use crate::upstream::health::Watch;
use crate::upstream::probe::Probes;
use crate::upstream::tasks::Tasks;
use crate::worker::Command;

/// How soon after a change of health picks go by it where no request comes: many changes are taken in at once.
const TAKEN_IN: Duration = Duration::from_millis(10);

/// Watch and probe the endpoints of what is served until told to drain. This is thread `index`.
pub(super) fn run(
    index: usize,
    common: &Common,
    commands: &mut UnboundedReceiver<Command>,
) -> io::Result<()> {
    let runtime = runtime()?;
    let Common { accounts, serving, long_work, .. } = common;
    accounts.metrics.worker(index).watch(runtime.metrics());
    let snapshot = Arc::clone(&serving.lock().snapshot);
    runtime.block_on(async {
        let (mut watch, mut probes) = (Watch::default(), Probes::default());
        let mut tasks = Tasks::default();
        watch.adopt(&snapshot.upstreams, &mut tasks);
        probes.adopt(&snapshot.upstreams, &mut tasks);
        drop(snapshot);
        let mut changed: Option<Instant> = None;
        loop {
            let command = tokio::select! {
                command = commands.recv() => command,
                () = accounts.outbox.health_changed(), if changed.is_none() => {
                    changed = Some(Instant::now());
                    continue;
                }
                () = sleep_until(changed.unwrap_or_else(Instant::now) + TAKEN_IN), if changed.is_some() => {
                    changed = None;
                    watch.renew(long_work);
                    continue;
                }
                never = tasks.watch() => match never {},
            };
            let adopt = |snapshot: &Snapshot| {
                watch.adopt(&snapshot.upstreams, &mut tasks);
                probes.adopt(&snapshot.upstreams, &mut tasks);
            };
            if obey(command, adopt).is_break() {
                quic::close_all(Code::NO_ERROR.into()).await;
                return;
            }
        }
    });
    runtime.shutdown_background();
    Ok(())
}
