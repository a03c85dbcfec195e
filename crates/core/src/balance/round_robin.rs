//! Smooth weighted round robin.
//!
//! The sequence is nginx's (Igor Sysoev's and Maxim Dounin's smooth weighted balancing, 2012):
//! each turn every endpoint gains its weight, the one that has gained most is picked and
//! pays the sum of all weights. With weights 5, 1, 1 that is a a b a c a a, where plain
//! weighted round robin sends five in a row to a.
//!
//! Done literally a turn costs O(n). But endpoints of the same weight gain alike, and so
//! take turns in their order; it is enough to compare one per weight. A turn costs
//! O(distinct weights).

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::candidates::Candidates;
use super::narrow::View;
use super::{Pick, Policy};

/// Smooth weighted round robin, over all workers together.
#[derive(Debug, Default)]
pub(super) struct RoundRobin(Mutex<Turns>);

impl Policy for RoundRobin {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let mut turns = self.0.lock();
        turns.follow(from.view);
        from.first_allowed(pick.random, |_| turns.next(from.view.total_weight()))
    }
}

/// The turns of the endpoints.
#[derive(Debug, Default)]
struct Turns {
    /// The view that `classes` were made for.
    view: Option<Arc<View>>,
    classes: Vec<Class>,
}

/// The endpoints of one weight.
#[derive(Debug)]
struct Class {
    weight: u32,
    /// Ascending.
    members: Vec<u32>,
    /// Position of the member whose turn is next.
    next: usize,
    /// What that member has gained and not paid.
    credit: i64,
}

impl Turns {
    /// Go on with `view`, from where the turns of the view before stopped: starting anew at each change would
    /// favour the first endpoints wherever changes are frequent.
    fn follow(&mut self, view: &Arc<View>) {
        if self.view.as_ref().is_some_and(|same| Arc::ptr_eq(same, view)) {
            return;
        }
        let mut by_weight: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &member in view.members() {
            by_weight.entry(view.weight(member as usize)).or_default().push(member);
        }
        let before = std::mem::take(&mut self.classes);
        self.classes = by_weight
            .into_iter()
            .map(|(weight, members)| {
                let same = before.iter().find(|class| class.weight == weight);
                let (next, credit) = same.map_or((0, 0), |class| {
                    let due = class.members[class.next];
                    let next = members.partition_point(|&member| member < due);
                    (next % members.len(), class.credit)
                });
                Class { weight, members, next, credit }
            })
            .collect();
        self.view = Some(Arc::clone(view));
    }

    /// The endpoint whose turn it is; `total` is the sum of all weights.
    fn next(&mut self, total: u64) -> usize {
        let mut best = 0;
        for class in 0..self.classes.len() {
            self.classes[class].credit += i64::from(self.classes[class].weight);
            if self.classes[class].goes_before(&self.classes[best]) {
                best = class;
            }
        }
        self.classes[best].take(total)
    }
}

impl Class {
    fn due(&self) -> u32 {
        self.members[self.next]
    }

    /// More credit goes first; of equal credits, the first endpoint.
    fn goes_before(&self, other: &Class) -> bool {
        (self.credit, std::cmp::Reverse(self.due()))
            > (other.credit, std::cmp::Reverse(other.due()))
    }

    /// Serve the member that is due. The next one has the same credit, unless it was served in this round already.
    fn take(&mut self, total: u64) -> usize {
        let due = self.due();
        self.next += 1;
        if self.next == self.members.len() {
            self.next = 0;
            self.credit -= total as i64;
        }
        due as usize
    }
}
