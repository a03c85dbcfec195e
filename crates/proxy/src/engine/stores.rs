//! The thread that speaks to stores, and how they are at this moment.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::Engine;
use super::common::Common;
use super::fleets::Fleets;
use super::thread::{obey, runtime};
use crate::account::outbox::Outbox;
use crate::objects::cache::Cache;
use crate::objects::keeper::Object;
use crate::objects::store::{Limits, Store, sync};
use crate::snapshot::Snapshot;
use crate::upstream::tasks::{Task, Tasks};
use crate::worker::Command;

/// A store.
#[derive(Debug, Serialize)]
pub struct StoreStatus {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub up: bool,
    /// Why it does not.
    pub cause: Option<String>,
    /// For how long it has been so, in seconds.
    pub for_seconds: f64,
    /// Gateways that share it, as it told last.
    pub gateways: u32,
    /// The limits that are shared through it.
    pub rate_limits: Vec<String>,
    /// The caches whose purges are.
    pub caches: Vec<String>,
}

/// Speak to the stores of what is served until told to drain. This is thread `index`.
pub(super) fn run(
    index: usize,
    common: &Common,
    commands: &mut UnboundedReceiver<Command>,
) -> io::Result<()> {
    let runtime = runtime()?;
    let Common { accounts, serving, .. } = common;
    accounts.metrics.worker(index).watch(runtime.metrics());
    let snapshot = Arc::clone(&serving.lock().snapshot);
    runtime.block_on(async {
        let (mut tasks, mut spoken_to) = (Tasks::default(), SpokenTo::default());
        let mut fleets = Fleets::default();
        spoken_to.adopt(&snapshot, &mut tasks, &accounts.outbox);
        fleets.adopt(&snapshot, &mut tasks, common);
        drop(snapshot);
        loop {
            let command = tokio::select! {
                command = commands.recv() => command,
                never = tasks.watch() => match never {},
            };
            let adopt = |snapshot: &Snapshot| {
                spoken_to.adopt(snapshot, &mut tasks, &accounts.outbox);
                fleets.adopt(snapshot, &mut tasks, common);
            };
            if obey(command, adopt).is_break() {
                return;
            }
        }
    });
    runtime.shutdown_background();
    Ok(())
}

/// The stores that are spoken to, by name.
#[derive(Default)]
struct SpokenTo(HashMap<String, Conversation>);

struct Conversation {
    store: Arc<Store>,
    limits: watch::Sender<Limits>,
    _task: Task,
}

impl SpokenTo {
    /// Speak to the stores of `snapshot` for its limits from now on, and to no other.
    fn adopt(&mut self, snapshot: &Snapshot, tasks: &mut Tasks, outbox: &Arc<Outbox>) {
        let mut before = std::mem::take(&mut self.0);
        for store in &snapshot.stores {
            let of_store = snapshot.rate_limits.iter().filter(|limit| {
                limit.store.as_ref().is_some_and(|other| Arc::ptr_eq(other, store))
            });
            let limits: Limits = of_store.cloned().collect();
            let same = before.remove(store.name()).filter(|it| Arc::ptr_eq(&it.store, store));
            let conversation = match same {
                Some(same) => {
                    same.limits.send_replace(limits);
                    same
                }
                None => {
                    let (sender, receiver) = watch::channel(limits);
                    let task = tasks.spawn(sync::run(store.clone(), receiver, outbox.clone()));
                    Conversation { store: store.clone(), limits: sender, _task: task }
                }
            };
            self.0.insert(store.name().to_owned(), conversation);
        }
    }
}

impl Engine {
    /// All stores, in the plan's order.
    pub(super) fn stores(&self) -> Vec<StoreStatus> {
        let snapshot = self.snapshot();
        let status = |store: &Arc<Store>| {
            let of_store = snapshot.rate_limits.iter().filter(|limit| {
                limit.store.as_ref().is_some_and(|other| Arc::ptr_eq(other, store))
            });
            let names_it = |cache: &&Arc<Cache>| {
                cache.plan.purges.as_ref().is_some_and(|it| it.store == store.plan.name)
            };
            let caches = snapshot.caches.iter().filter(names_it);
            let cause = store.state.cause();
            StoreStatus {
                name: store.plan.name.clone(),
                up: cause.is_none(),
                cause,
                for_seconds: store.state.lasts().as_secs_f64(),
                gateways: store.state.gateways(),
                rate_limits: of_store.map(|limit| limit.plan.name.clone()).collect(),
                caches: caches.map(|cache| cache.plan.name.clone()).collect(),
            }
        };
        snapshot.stores.iter().map(status).collect()
    }
}
