//! The caches whose purges gateways share, as the thread that speaks to stores has them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::caches::urls_of;
use super::common::Common;
use crate::objects::cache::Fleet;
use crate::objects::cache::fleet::{self, Desk, Shared};
use crate::objects::store::Store;
use crate::snapshot::Snapshot;
use crate::upstream::tasks::{Task, Tasks};

/// Those that are told of and read for, by the cache's name.
#[derive(Default)]
pub(super) struct Fleets(HashMap<String, Telling>);

struct Telling {
    store: Arc<Store>,
    fleet: Arc<Fleet>,
    shared: watch::Sender<Shared>,
    _task: Task,
}

impl Fleets {
    /// Tell of the purges of the caches of `snapshot`, and read for them, from now on, and for no other.
    pub(super) fn adopt(&mut self, snapshot: &Snapshot, tasks: &mut Tasks, common: &Common) {
        let mut before = std::mem::take(&mut self.0);
        for cache in &snapshot.caches {
            let Some(fleet) = &cache.fleet else { continue };
            let is_it = |store: &&Arc<Store>| store.plan.name == fleet.plan.store;
            let Some(store) = snapshot.stores.iter().find(is_it) else { continue };
            let shared = Shared { cache: cache.clone(), urls: urls_of(snapshot, cache).cloned() };
            let same = before.remove(&cache.plan.name).filter(|telling| {
                Arc::ptr_eq(&telling.store, store) && Arc::ptr_eq(&telling.fleet, fleet)
            });
            let telling = match same {
                Some(same) => {
                    same.shared.send_replace(shared);
                    same
                }
                None => {
                    let (sender, receiver) = watch::channel(shared);
                    let desk = Desk {
                        shared: receiver,
                        store: store.clone(),
                        long_work: common.long_work.clone(),
                        outbox: common.accounts.outbox.clone(),
                    };
                    let _task = tasks.spawn(fleet::run(fleet.clone(), desk));
                    let (store, fleet) = (store.clone(), fleet.clone());
                    Telling { store, fleet, shared: sender, _task }
                }
            };
            self.0.insert(cache.plan.name.clone(), telling);
        }
    }
}
