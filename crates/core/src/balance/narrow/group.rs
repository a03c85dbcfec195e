//! Endpoints that are picked among together.

use std::sync::Arc;

use crate::balance::{Policy, policy};
use crate::plan;

/// A fixed set of an upstream's endpoints, and the policy that chooses among those that may be picked.
#[derive(Debug)]
pub(in crate::balance) struct Group {
    /// Indices of the endpoints, ascending.
    pub(super) members: Vec<u32>,
    pub(super) policy: Arc<dyn Policy>,
}

impl Group {
    pub(super) fn new(upstream: &plan::Upstream, members: Vec<u32>) -> Arc<Self> {
        Arc::new(Self { policy: policy(upstream, &members), members })
    }

    /// Its members by what `key` says of them, in the order of the keys; itself where all are alike.
    pub(super) fn split_by<K: Ord>(
        self: &Arc<Self>,
        upstream: &plan::Upstream,
        key: impl Fn(&plan::Endpoint) -> K,
    ) -> Vec<(K, Arc<Self>)> {
        let mut parts = std::collections::BTreeMap::<K, Vec<u32>>::new();
        for &member in &self.members {
            parts.entry(key(&upstream.endpoints[member as usize])).or_default().push(member);
        }
        let alike = parts.len() == 1;
        let group = |members| if alike { Arc::clone(self) } else { Self::new(upstream, members) };
        parts.into_iter().map(|(key, members)| (key, group(members))).collect()
    }
}
