//! The registry: handles by name, and all that is counted with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{
    AuthenticatorMetrics, CacheMetrics, CachedRouteMetrics, EndpointMetrics, ListenerMetrics,
    RateLimitMetrics, RouteMetrics, RpcMetrics, StoreMetrics, UpstreamMetrics, WorkerMetrics,
    authenticator, cache, endpoint, listener, quic, rate_limit, route, rpc, store, tunnel,
    upstream, worker,
};
use crate::account::exposition::Exposition;

/// Threads that are no workers.
const BESIDE: [&str; 3] = ["health", "long-work", "stores"];

/// All metrics of one engine.
#[derive(Debug)]
pub struct Metrics {
    shards: usize,
    unrouted: Arc<RouteMetrics>,
    /// After the workers the thread that checks health, the threads for long work, and that of stores.
    workers: Box<[WorkerMetrics]>,
    listeners: ByName<String, ListenerMetrics>,
    routes: ByName<String, RouteMetrics>,
    rpcs: ByName<(String, String), RpcMetrics>,
    upstreams: ByName<String, UpstreamMetrics>,
    endpoints: ByName<(String, String), EndpointMetrics>,
    rate_limits: ByName<String, RateLimitMetrics>,
    authenticators: ByName<String, AuthenticatorMetrics>,
    stores: ByName<String, StoreMetrics>,
    caches: ByName<String, CacheMetrics>,
    cached_routes: ByName<(String, String), CachedRouteMetrics>,
}

impl Metrics {
    /// Metrics of an engine with this many worker threads.
    ///
    /// Every call that counts takes the number of the worker it is made by, from 0; threads that
    /// are no workers use `workers` itself.
    pub fn new(workers: usize) -> Arc<Self> {
        let shards = workers + 1;
        Arc::new(Self {
            shards,
            unrouted: Arc::new(RouteMetrics::new("", shards)),
            workers: (0..workers + BESIDE.len()).map(|_| WorkerMetrics::default()).collect(),
            listeners: ByName::default(),
            routes: ByName::default(),
            rpcs: ByName::default(),
            upstreams: ByName::default(),
            endpoints: ByName::default(),
            rate_limits: ByName::default(),
            authenticators: ByName::default(),
            stores: ByName::default(),
            caches: ByName::default(),
            cached_routes: ByName::default(),
        })
    }

    /// The counts of a listener.
    pub fn listener(&self, name: &str) -> Arc<ListenerMetrics> {
        self.listeners.get(name.to_owned(), || ListenerMetrics::new(name, self.shards))
    }

    /// The counts of a route.
    pub fn route(&self, name: &str) -> Arc<RouteMetrics> {
        self.routes.get(name.to_owned(), || RouteMetrics::new(name, self.shards))
    }

    /// The counts of the RPCs of a route that are counted as of this method.
    pub fn rpc(&self, route: &str, method: &str) -> Arc<RpcMetrics> {
        let name = (route.to_owned(), method.to_owned());
        self.rpcs.get(name, || RpcMetrics::new(route, method, self.shards))
    }

    /// The counts of requests that no route took.
    pub fn unrouted(&self) -> Arc<RouteMetrics> {
        self.unrouted.clone()
    }

    /// The counts of an upstream.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMetrics> {
        self.upstreams.get(name.to_owned(), || UpstreamMetrics::new(name, self.shards))
    }

    /// The counts of a rate limit.
    pub fn rate_limit(&self, name: &str) -> Arc<RateLimitMetrics> {
        self.rate_limits.get(name.to_owned(), || RateLimitMetrics::new(name, self.shards))
    }

    /// The counts of an authenticator.
    pub fn authenticator(&self, name: &str) -> Arc<AuthenticatorMetrics> {
        self.authenticators.get(name.to_owned(), || AuthenticatorMetrics::new(name, self.shards))
    }

    /// The counts of a store.
    pub fn store(&self, name: &str) -> Arc<StoreMetrics> {
        self.stores.get(name.to_owned(), || StoreMetrics::new(name))
    }

    /// The counts of a cache.
    pub fn cache(&self, name: &str) -> Arc<CacheMetrics> {
        self.caches.get(name.to_owned(), || CacheMetrics::new(name, self.shards))
    }

    /// The counts of a route that asks a cache.
    pub fn cached_route(&self, cache: &str, route: &str) -> Arc<CachedRouteMetrics> {
        let name = (cache.to_owned(), route.to_owned());
        self.cached_routes.get(name, || CachedRouteMetrics::new(cache, route, self.shards))
    }

    /// The counts of an upstream's endpoint.
    pub fn endpoint(&self, upstream: &Arc<str>, address: &str) -> Arc<EndpointMetrics> {
        let name = (String::from(&**upstream), address.to_owned());
        self.endpoints.get(name, || EndpointMetrics::new(upstream, address, self.shards))
    }

    /// The counts of a worker, by its number. After the last worker come the thread that checks health, the threads
    /// for long work, which count as one, and the thread that speaks to stores.
    pub fn worker(&self, index: usize) -> &WorkerMetrics {
        &self.workers[index]
    }

    /// What such a thread is called: its number, `health`, `long-work` or `stores`.
    pub fn worker_label(&self, index: usize) -> String {
        match index.checked_sub(self.shards - 1) {
            None => index.to_string(),
            Some(beside) => BESIDE[beside].into(),
        }
    }
}

impl Metrics {
    /// Write all that is counted. Series of a route or an endpoint appear with its first request; those of
    /// listeners, upstreams and workers are always there.
    pub fn families(&self, page: &mut Exposition) {
        let mut routes = vec![self.unrouted.clone()];
        routes.extend(self.routes.held());
        route::families(page, &routes);
        tunnel::families(page, &routes);
        rpc::families(page, &self.rpcs.held());
        upstream::families(page, &self.upstreams.held());
        endpoint::families(page, &self.endpoints.held());
        rate_limit::families(page, &self.rate_limits.held());
        authenticator::families(page, &self.authenticators.held());
        store::families(page, &self.stores.held());
        cache::families(page, &self.caches.held(), &self.cached_routes.held());
        let listeners = self.listeners.held();
        listener::families(page, &listeners);
        quic::families(page, &listeners);
        let labels: Vec<_> =
            (0..self.workers.len()).map(|index| self.worker_label(index)).collect();
        worker::families(page, &labels, &self.workers);
    }
}

/// Handles of one kind by name, as long as they are held.
#[derive(Debug)]
struct ByName<K, T> {
    members: Mutex<BTreeMap<K, Weak<T>>>,
}

impl<K, T> Default for ByName<K, T> {
    fn default() -> Self {
        Self { members: Mutex::default() }
    }
}

impl<K: Ord, T> ByName<K, T> {
    /// The handle of this name; made if none is held.
    fn get(&self, name: K, make: impl FnOnce() -> T) -> Arc<T> {
        let mut members = self.members.lock();
        let member = members.entry(name).or_default();
        member.upgrade().unwrap_or_else(|| {
            let made = Arc::new(make());
            *member = Arc::downgrade(&made);
            made
        })
    }

    /// All handles that are held, in the order of their names; forgets the others.
    fn held(&self) -> Vec<Arc<T>> {
        let mut held = Vec::new();
        self.members
            .lock()
            .retain(|_, member| member.upgrade().map(|member| held.push(member)).is_some());
        held
    }
}
