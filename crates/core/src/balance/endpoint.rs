//! The endpoints of an upstream as a balancer sees them.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use crate::health::{Changes, Health};
use crate::load::{Load, Total};
use crate::plan;
use crate::time::Moment;

/// One endpoint. It lives as long as its address stays in its upstream, through every reload.
#[derive(Debug)]
pub struct Endpoint {
    /// `ip:port`, `[ipv6]:port`, `host:port` or `unix:/path`; the identity within its upstream.
    pub address: String,
    /// How loaded it is.
    pub load: CachePadded<Load>,
    /// Whether it is well.
    pub health: Health,
    weight: AtomicU32,
    drain: AtomicBool,
    changes: Arc<Changes>,
    /// When it was added, if its upstream was at work already.
    added: Option<Moment>,
}

impl Endpoint {
    /// Its share of the load beside the others'; 0: none.
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// Whether it gets no new requests while those it has are finished.
    pub fn drains(&self) -> bool {
        self.drain.load(Relaxed)
    }

    /// Change its share and whether it drains; both hold from the next pick on.
    pub fn set(&self, weight: u32, drain: bool) {
        let before = (self.weight.swap(weight, Relaxed), self.drain.swap(drain, Relaxed));
        if before != (weight, drain) {
            self.changes.add();
        }
    }

    /// Since when it is new or has recovered; `None`: it was there, and well, from the start.
    pub(super) fn fresh_since(&self) -> Option<Moment> {
        self.added.max(self.health.recovered())
    }

    /// Whether new requests may come here at all, well or not.
    pub(super) fn is_open(&self) -> bool {
        self.weight() > 0 && !self.drains()
    }
}

/// All endpoints of one upstream, in the plan's order, with what they share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Endpoints {
    members: Arc<[Arc<Endpoint>]>,
    total: Arc<Total>,
    changes: Arc<Changes>,
}

impl Endpoints {
    /// The endpoints of `upstream`, added at `now`; those that `before` has (by address) are the
    /// same ones, untouched: what the plan changes of them waits for [`apply`](Self::apply).
    pub fn new(upstream: &plan::Upstream, before: Option<&Endpoints>, now: Moment) -> Self {
        let (total, changes) = match before {
            Some(before) => (Arc::clone(&before.total), Arc::clone(&before.changes)),
            None => Default::default(),
        };
        let known: HashMap<&str, &Arc<Endpoint>> = before
            .iter()
            .flat_map(|before| before.iter())
            .map(|endpoint| (endpoint.address.as_str(), endpoint))
            .collect();
        let added = |endpoint: &plan::Endpoint| Endpoint {
            address: endpoint.address.clone(),
            load: CachePadded::new(Load::new(Arc::clone(&total))),
            health: Health::new(&upstream.health, now, Arc::clone(&changes)),
            weight: AtomicU32::new(endpoint.weight),
            drain: AtomicBool::new(endpoint.drain),
            changes: Arc::clone(&changes),
            added: before.map(|_| now),
        };
        let members = upstream
            .endpoints
            .iter()
            .map(|endpoint| match known.get(endpoint.address.as_str()) {
                Some(&same) => Arc::clone(same),
                None => Arc::new(added(endpoint)),
            })
            .collect();
        Self { members, total, changes }
    }

    /// Put the weights, drains and health settings of `upstream`, which these endpoints were made
    /// from, into force.
    pub fn apply(&self, upstream: &plan::Upstream, now: Moment) {
        for (endpoint, plan) in self.iter().zip(&upstream.endpoints) {
            endpoint.set(plan.weight, plan.drain);
            endpoint.health.configure(&upstream.health, now);
        }
    }

    /// Requests in flight over all of them.
    pub fn total(&self) -> &Total {
        &self.total
    }

    /// What may change which endpoints are picked.
    pub(super) fn changes(&self) -> u64 {
        self.changes.count()
    }
}

impl Deref for Endpoints {
    type Target = [Arc<Endpoint>];

    fn deref(&self) -> &Self::Target {
        &self.members
    }
}
