//! Building the caches of a plan, and which of them each route asks.
//!
//! Apart from the routes, which only name them: so a route stays the same object when its cache is built anew.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::cache::key::Url;
use tidegate_core::plan::{self, Issue, Plan};

use super::Snapshot;
use super::named::Named;
use crate::account::metrics::{CachedRouteMetrics, Metrics};
use crate::objects::cache::{Cache, Urls};
use crate::objects::keeper::Keeper;
use crate::objects::store::Store;

/// The cache that a route asks.
#[derive(Debug)]
pub struct CacheOfRoute {
    /// The cache.
    pub cache: Arc<Cache>,
    /// How the routes that ask it make keys of URLs.
    pub urls: Arc<Urls>,
    /// What is counted of the route's requests there.
    pub metrics: Arc<CachedRouteMetrics>,
}

/// The caches of `plan`, in its order; those that are purged together with others', through its `stores`.
/// What is wrong with one is added to `issues`, and leaves its place empty.
pub(super) fn build(
    plan: &Plan,
    stores: &[Option<Arc<Store>>],
    before: Option<&Snapshot>,
    metrics: &Metrics,
    issues: &mut Vec<Issue>,
) -> Vec<Option<Arc<Cache>>> {
    let served = || before.iter().flat_map(|before| &before.caches);
    let keeper = Keeper::of(served());
    let known = Named::new("store", plan.stores.iter().map(|store| &store.name), stores);
    let kept = plan.caches.iter().enumerate().map(|(index, wanted)| {
        if let Some(purges) = &wanted.purges {
            known.find(&purges.store, || format!("caches.{index}.purges.store"), issues)?;
        }
        // A cache with another name whose directory goes on is the same one.
        let renamed = || {
            let path = &wanted.disk.as_ref()?.path;
            served().find(|other| other.disk().is_some_and(|disk| disk.is_at(path)))
        };
        let kept = keeper.keep(&wanted.name, wanted, |wanted, before| {
            Cache::build(wanted, before.or(renamed()).map(|before| &**before), metrics)
        });
        let told = |wrong| issues.push(Issue::new(format!("caches.{index}.disk.path"), wrong));
        kept.map_err(told).ok()
    });
    kept.collect()
}

/// That of each route of `plan`, in its order, among `caches`. What names none is added to `issues`.
pub(super) fn of_routes(
    plan: &Plan,
    caches: &[Option<Arc<Cache>>],
    metrics: &Metrics,
    issues: &mut Vec<Issue>,
) -> Vec<Option<CacheOfRoute>> {
    let known = Named::new("cache", plan.caches.iter().map(|cache| &cache.name), caches);
    let urls: HashMap<_, _> =
        plan.caches.iter().map(|cache| (&cache.name, urls(plan, cache))).collect();
    let routes = plan.routes.iter().enumerate().map(|(index, route)| {
        let wanted = route.cache.as_ref()?;
        let option = || format!("routes.{index}.cache.name");
        let cache = known.find(&wanted.name, option, issues)?;
        if wanted.slice.is_some_and(|slice| slice.get() > cache.plan.max_object.get()) {
            let wrong =
                format!("a slice is at most as long as `max_object` of cache `{}`", wanted.name);
            issues.push(Issue::new(format!("routes.{index}.cache.slice"), wrong));
        }
        let metrics = metrics.cached_route(&wanted.name, &route.name);
        Some(CacheOfRoute { cache, urls: urls.get(&wanted.name)?.clone(), metrics })
    });
    routes.collect()
}

/// The URLs of `cache`, as the routes of `plan` see them.
fn urls(plan: &Plan, cache: &plan::Cache) -> Arc<Urls> {
    let asked = plan.routes.iter().filter_map(|route| route.cache.as_ref());
    Arc::new(Urls::of(asked.filter(|asked| asked.name == cache.name)))
}

impl CacheOfRoute {
    /// An unsafe request has changed what is at `url`: nothing that is stored for it holds any more. Returns whether
    /// a sweep is due.
    pub fn invalidate(&self, url: &Url<'_>) -> bool {
        let hashes = self.urls.hashes(url);
        // Each of them, also where the first is enough for a sweep.
        hashes.fold(false, |is_due, hash| self.cache.invalidate(hash, self.urls.are_keys) | is_due)
    }
}
