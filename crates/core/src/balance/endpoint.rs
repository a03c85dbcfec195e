//! The endpoints of an upstream as a balancer sees them.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use super::needs::signals;
use crate::alternative::Alternative;
use crate::health::{Duty, Health, Peers, Transition};
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
    /// What is known of its HTTP/3.
    pub alternative: Alternative,
    weight: AtomicU32,
    peers: Arc<Peers>,
    /// When it was added, if its upstream was at work already.
    added: Option<Moment>,
}

impl Endpoint {
    /// Its share of the load beside the others'; 0: none.
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// Change its share, from the next pick on.
    pub fn set_weight(&self, weight: u32) {
        if self.weight.swap(weight, Relaxed) != weight {
            self.peers.changed();
        }
    }

    /// Since when it is new or has recovered; `None`: it was there, and well, from the start.
    pub(super) fn fresh_since(&self) -> Option<Moment> {
        self.added.max(self.health.recovered())
    }

    /// Whether it may get requests at `now`: new ones may come to it, and it is well or to be tried.
    pub fn takes_requests(&self, now: Moment) -> bool {
        self.is_open() && self.health.available(now)
    }

    /// Whether new requests may come here at all, well or not.
    pub fn is_open(&self) -> bool {
        self.weight() > 0 && self.health.state().is_in_service()
    }

    /// Whether it has fewer requests than the `limit`. Where there is none, its memory need not be waited for.
    pub(super) fn has_room(&self, limit: u32) -> bool {
        limit == u32::MAX || self.load.in_flight() < limit
    }
}

/// All endpoints of one upstream, in the plan's order, with what they share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Endpoints {
    members: Arc<[Arc<Endpoint>]>,
    total: Arc<Total>,
    peers: Arc<Peers>,
    /// Requests that one of them may have.
    limit: Arc<AtomicU32>,
}

impl Endpoints {
    /// The endpoints of `upstream`, added at `now`; those that `before` has (by address) are the
    /// same ones, untouched: what the plan changes of them waits for [`apply`](Self::apply).
    pub fn new(upstream: &plan::Upstream, before: Option<&Endpoints>, now: Moment) -> Self {
        let (total, peers, limit) = match before {
            Some(Self { total, peers, limit, .. }) => {
                (Arc::clone(total), Arc::clone(peers), Arc::clone(limit))
            }
            None => (Arc::default(), Arc::default(), Arc::new(AtomicU32::new(limit_of(upstream)))),
        };
        let known: HashMap<&str, &Arc<Endpoint>> = before
            .iter()
            .flat_map(|before| before.iter())
            .map(|endpoint| (endpoint.address.as_str(), endpoint))
            .collect();
        let added = |endpoint: &plan::Endpoint| Endpoint {
            address: endpoint.address.clone(),
            load: CachePadded::new(Load::new(
                Arc::clone(&total),
                upstream.balance.decay.duration(),
                signals(upstream),
            )),
            health: Health::new(&upstream.health, Duty::of(endpoint), now, Arc::clone(&peers)),
            alternative: Alternative::default(),
            weight: AtomicU32::new(endpoint.weight),
            peers: Arc::clone(&peers),
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
        Self { members, total, peers, limit }
    }

    /// Put the limit, weights, duties, health and load settings of `upstream`, which these endpoints were made
    /// from, into force. Answers with the changes of health, by index.
    pub fn apply(&self, upstream: &plan::Upstream, now: Moment) -> Vec<(usize, Transition)> {
        let signals = signals(upstream);
        self.limit.store(limit_of(upstream), Relaxed);
        self.peers.limit_ejections(self.len(), upstream.health.outlier.max_ejected);
        let mut transitions = Vec::new();
        for (index, (endpoint, plan)) in self.iter().zip(&upstream.endpoints).enumerate() {
            endpoint.set_weight(plan.weight);
            endpoint.load.configure(upstream.balance.decay.duration(), signals, now);
            let transition = endpoint.health.configure(&upstream.health, Duty::of(plan), now);
            transitions.extend(transition.map(|transition| (index, transition)));
        }
        transitions
    }

    /// Requests that one of them may have; `u32::MAX`: any number.
    pub(super) fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    /// Requests in flight over all of them.
    pub fn total(&self) -> &Total {
        &self.total
    }

    /// What may change which endpoints are picked.
    pub(super) fn changes(&self) -> u64 {
        self.peers.changes()
    }
}

fn limit_of(upstream: &plan::Upstream) -> u32 {
    upstream.limits.endpoint_requests.map_or(u32::MAX, NonZeroU32::get)
}

impl Deref for Endpoints {
    type Target = [Arc<Endpoint>];

    fn deref(&self) -> &Self::Target {
        &self.members
    }
}
