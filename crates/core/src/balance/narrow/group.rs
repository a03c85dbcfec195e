//! Endpoints that are picked among together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Standing;
use crate::balance::{Build, Policy};
use crate::plan;

/// A fixed set of an upstream's endpoints, and the policy that chooses among those that may be picked.
#[derive(Debug)]
pub(in crate::balance) struct Group {
    /// Indices of the endpoints, ascending.
    pub(super) members: Vec<u32>,
    pub(super) policy: Arc<dyn Policy>,
}

impl Group {
    /// The group of these endpoints of `upstream`.
    pub(super) fn new(upstream: &plan::Upstream, build: &Build, members: Vec<u32>) -> Arc<Self> {
        Arc::new(Self { policy: build(upstream, &members), members })
    }

    /// Its members by what `key` says of them, in the order of the keys; itself where all are alike.
    pub(super) fn split_by<K: Ord>(
        self: &Arc<Self>,
        upstream: &plan::Upstream,
        build: &Build,
        key: impl Fn(&plan::Endpoint) -> K,
    ) -> Vec<(K, Arc<Self>)> {
        let mut parts = BTreeMap::<K, Vec<u32>>::new();
        for &member in &self.members {
            parts.entry(key(&upstream.endpoints[member as usize])).or_default().push(member);
        }
        let alike = parts.len() == 1;
        let part = |members| match alike {
            true => Arc::clone(self),
            false => Self::new(upstream, build, members),
        };
        parts.into_iter().map(|(key, members)| (key, part(members))).collect()
    }

    /// How its members stand.
    fn standings<'a>(&self, all: &'a [Standing]) -> impl Iterator<Item = &'a Standing> {
        self.members.iter().map(|&member| &all[member as usize])
    }

    /// Whether `endpoint` is a member.
    pub(super) fn has(&self, endpoint: usize) -> bool {
        self.members.binary_search(&(endpoint as u32)).is_ok()
    }

    /// How many members are available.
    pub(super) fn available(&self, all: &[Standing]) -> usize {
        self.standings(all).filter(|standing| standing.available).count()
    }

    /// What is available of the members' weight, and all of it.
    pub(super) fn capacity(&self, all: &[Standing]) -> (u64, u64) {
        self.standings(all).fold((0, 0), |(available, sum), standing| {
            let capacity = u64::from(standing.capacity);
            (available + if standing.available { capacity } else { 0 }, sum + capacity)
        })
    }

    /// Whether so little of the weight of its open members is available that it would be crushed: less than
    /// this part.
    pub(super) fn is_scarce(&self, all: &[Standing], part: f64) -> bool {
        let weight = |of: fn(&Standing) -> bool| -> u64 {
            let those = self.standings(all).filter(|standing| of(standing));
            those.map(|standing| u64::from(standing.capacity)).sum()
        };
        let available = weight(|standing| standing.available);
        available == 0 || (available as f64) < weight(|standing| standing.open) as f64 * part
    }
}
