//! The registry: handles by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{EndpointMetrics, ListenerMetrics, RouteMetrics, UpstreamMetrics, WorkerMetrics};

/// All metrics of one engine.
#[derive(Debug)]
pub struct Metrics {
    shards: usize,
    pub(super) unrouted: Arc<RouteMetrics>,
    /// The last is the thread that checks health.
    pub(super) workers: Box<[WorkerMetrics]>,
    pub(super) listeners: ByName<String, ListenerMetrics>,
    pub(super) routes: ByName<String, RouteMetrics>,
    pub(super) upstreams: ByName<String, UpstreamMetrics>,
    pub(super) endpoints: ByName<(String, String), EndpointMetrics>,
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
            workers: (0..shards).map(|_| WorkerMetrics::default()).collect(),
            listeners: ByName::default(),
            routes: ByName::default(),
            upstreams: ByName::default(),
            endpoints: ByName::default(),
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

    /// The counts of requests that no route took.
    pub fn unrouted(&self) -> Arc<RouteMetrics> {
        self.unrouted.clone()
    }

    /// The counts of an upstream.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMetrics> {
        self.upstreams.get(name.to_owned(), || UpstreamMetrics::new(self.shards))
    }

    /// The counts of an upstream's endpoint.
    pub fn endpoint(&self, upstream: &Arc<str>, address: &str) -> Arc<EndpointMetrics> {
        let name = (String::from(&**upstream), address.to_owned());
        self.endpoints.get(name, || EndpointMetrics::new(upstream, address, self.shards))
    }

    /// The counts of a worker, by its number, or of the thread that checks health, whose number is one more
    /// than the last worker's.
    pub fn worker(&self, index: usize) -> &WorkerMetrics {
        &self.workers[index]
    }

    /// What such a thread is called: its number, or `health`.
    pub fn worker_label(&self, index: usize) -> String {
        if index + 1 < self.shards { index.to_string() } else { "health".into() }
    }
}

/// Handles of one kind by name, as long as somebody holds them.
#[derive(Debug)]
pub(super) struct ByName<K, T> {
    members: Mutex<BTreeMap<K, Weak<T>>>,
}

impl<K, T> Default for ByName<K, T> {
    fn default() -> Self {
        Self { members: Mutex::default() }
    }
}

impl<K: Ord + Clone, T> ByName<K, T> {
    /// The handle of this name; made if nobody holds one.
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
    pub(super) fn held(&self) -> Vec<(K, Arc<T>)> {
        let mut held = Vec::new();
        self.members.lock().retain(|name, member| {
            member.upgrade().map(|member| held.push((name.clone(), member))).is_some()
        });
        held
    }
}
