//! Where requests go until something changes.

use std::sync::Arc;

use super::view::{View, Views};
use crate::balance::{Endpoints, Pick, SplitMix64};
use crate::time::Moment;

/// Where requests go until something changes: for each kind of request the views that it may be picked from,
/// the preferred ones first.
#[derive(Debug)]
pub(in crate::balance) struct Outlook {
    /// Of requests that ask for no labels.
    pub(super) whole: Views,
    /// By subset.
    pub(super) subsets: Vec<Views>,
    /// Changes that had been counted when it was made.
    pub(super) changes: u64,
    /// When it has to be made again all the same.
    pub(super) until: Moment,
}

impl Outlook {
    /// Whether another one is due at `now`.
    pub(in crate::balance) fn is_stale(&self, endpoints: &Endpoints, now: Moment) -> bool {
        now >= self.until || self.changes != endpoints.changes()
    }

    /// Changes that had been counted when it was made, and when it has to be made again all the same.
    pub(in crate::balance) fn valid(&self) -> (u64, Moment) {
        (self.changes, self.until)
    }

    /// The views of a subset; `None`: of all endpoints.
    fn views(&self, subset: Option<usize>) -> &Views {
        subset.and_then(|subset| self.subsets.get(subset)).unwrap_or(&self.whole)
    }

    /// The view in which requests for `subset` find `endpoint`.
    pub(in crate::balance) fn holding(
        &self,
        subset: Option<usize>,
        endpoint: usize,
    ) -> Option<&Arc<View>> {
        self.views(subset).iter().find(|view| view.has(endpoint))
    }

    /// Whether requests that ask for no labels are picked for in panic.
    pub(in crate::balance) fn is_panic(&self) -> bool {
        self.whole.iter().any(|view| view.is_panic())
    }

    /// How many endpoints may be picked, whatever the labels.
    pub(in crate::balance) fn members(&self) -> usize {
        self.whole.iter().map(|view| view.members().len()).sum()
    }

    /// Whether the request was sent to all that it may be sent to.
    pub(in crate::balance) fn tried_all(&self, pick: &Pick<'_>) -> bool {
        self.views(pick.subset).iter().all(|view| view.avoids_all(pick.tried))
    }

    /// The view for a request, drawn by the shares; the best other one if `avoid` leaves nothing of
    /// it; `None` if it leaves nothing of any. A request with a key is drawn by its key, so that the key
    /// keeps its endpoint.
    pub(in crate::balance) fn draw(
        &self,
        pick: &mut Pick<'_>,
        avoid: &[usize],
    ) -> Option<&Arc<View>> {
        let views = self.views(pick.subset);
        let left = |view: &&Arc<View>| !view.avoids_all(avoid);
        if let [only] = &views[..] {
            return Some(only).filter(left);
        }
        let mixed = match pick.hash {
            // Mixed: the policies use the hash itself.
            Some(hash) => SplitMix64::new(hash).next(),
            None => pick.random.next(),
        };
        let drawn = views.iter().find(|view| view.takes_share(mixed));
        drawn.filter(left).or_else(|| views.iter().find(left))
    }
}
