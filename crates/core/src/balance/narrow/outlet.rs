//! Where requests come out: groups with their shares.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Group, Standing};
use crate::balance::view::View;
use crate::balance::{Pick, Policy, SplitMix64};

/// A group that requests go to, and which of its members may be picked.
#[derive(Debug, Clone)]
pub(in crate::balance) struct Outlet {
    pub(in crate::balance) policy: Arc<dyn Policy>,
    pub(in crate::balance) view: Arc<View>,
    /// Shares of all outlets up to and including this one, out of 2³².
    bound: u64,
}

/// All outlets of one kind of request, the preferred ones first. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::balance) struct Outlets(SmallVec<[Outlet; 1]>);

impl Outlets {
    /// Outlets of these groups, which get these shares; a group without a share is for those that the
    /// others cannot serve. With `panic` all open members may be picked, else the available ones.
    pub(super) fn new(shares: &[(&Group, f64)], standing: &Standing, panic: bool) -> Self {
        let all: f64 = shares.iter().map(|(_, share)| share).sum();
        let mut sum = 0.0;
        let outlet = |&(group, share): &(&Group, f64)| {
            sum += share;
            Outlet {
                policy: Arc::clone(&group.policy),
                view: Arc::new(View::new(&group.members, standing, panic)),
                bound: (sum / all * WHOLE).round() as u64,
            }
        };
        Self(shares.iter().map(outlet).filter(|outlet| !outlet.view.is_empty()).collect())
    }

    /// Whether `avoid` leaves no endpoint.
    pub(in crate::balance) fn avoids_all(&self, avoid: &[usize]) -> bool {
        self.0.iter().all(|outlet| outlet.view.avoids_all(avoid))
    }

    /// The outlet where `endpoint` may be picked.
    pub(in crate::balance) fn holding(&self, endpoint: usize) -> Option<&Outlet> {
        self.0.iter().find(|outlet| outlet.view.has(endpoint))
    }

    /// How many endpoints they have together.
    pub(in crate::balance) fn members(&self) -> usize {
        self.0.iter().map(|outlet| outlet.view.members().len()).sum()
    }

    /// The outlet for a request, drawn by the shares; the best other one if `avoid` leaves nothing of
    /// it; `None` if it leaves nothing of any. A request with a key is drawn by its key, so that the key
    /// keeps its endpoint.
    pub(in crate::balance) fn draw(&self, pick: &mut Pick<'_>, avoid: &[usize]) -> Option<&Outlet> {
        let left = |outlet: &&Outlet| !outlet.view.avoids_all(avoid);
        if let [only] = &self.0[..] {
            return Some(only).filter(left);
        }
        let mixed = match pick.hash {
            // Mixed: the policies use the hash itself.
            Some(hash) => SplitMix64::new(hash).next(),
            None => pick.random.next(),
        };
        let point = mixed >> 32;
        let drawn = self.0.iter().find(|outlet| point < outlet.bound);
        drawn.filter(left).or_else(|| self.0.iter().find(left))
    }
}

const WHOLE: f64 = (1u64 << 32) as f64;
