//! Which endpoints may be picked at the moment.
//!
//! Reading the state of ten thousand endpoints for each request would cost more
//! than the request. So a view of them is made once and used by all workers until
//! an endpoint's availability or weight changes, or a rest is over.

use std::sync::Arc;

use super::{Endpoints, SplitMix64};
use crate::time::Moment;

/// The endpoints that may be picked, as found at one moment.
#[derive(Debug)]
pub(super) struct View {
    /// Indices of the endpoints that may be picked, ascending.
    members: Vec<u32>,
    /// By member: the sum of the weights up to and including its own.
    sums: Vec<u64>,
    /// By endpoint: its weight, 0 if it may not be picked.
    weights: Vec<u32>,
    /// Whether the rest of some members is over, so that they take one request, their trial.
    trials: bool,
    /// Changes that had been counted when the view was made.
    changes: u64,
    /// When the next rest is over.
    until: Moment,
}

impl View {
    /// What may be picked of `endpoints` at `now`: the available ones, or if there are none, all that are open.
    pub(super) fn new(endpoints: &Endpoints, now: Moment) -> Self {
        // First, so that a change during the loop makes the view stale.
        let changes = endpoints.changes();
        let mut open = Vec::with_capacity(endpoints.len());
        let mut trials = false;
        let mut until = Moment(u64::MAX);
        for (index, endpoint) in endpoints.iter().enumerate().filter(|(_, e)| e.is_open()) {
            let blocked = endpoint.health.blocked_until();
            if blocked > now {
                until = until.min(blocked);
            } else {
                trials |= blocked > Moment(0);
            }
            open.push((index as u32, endpoint.weight(), blocked <= now));
        }
        let panic = !open.iter().any(|&(.., available)| available);
        let mut view = Self {
            members: Vec::with_capacity(open.len()),
            sums: Vec::with_capacity(open.len()),
            weights: vec![0; endpoints.len()],
            trials,
            changes,
            until,
        };
        let mut sum = 0;
        for (index, weight, _) in open.into_iter().filter(|&(.., available)| panic || available) {
            sum += u64::from(weight);
            view.members.push(index);
            view.sums.push(sum);
            view.weights[index as usize] = weight;
        }
        view
    }

    /// Whether another view is due at `now`.
    pub(super) fn is_stale(&self, endpoints: &Endpoints, now: Moment) -> bool {
        now >= self.until || self.changes != endpoints.changes()
    }

    /// Whether no endpoint takes requests.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether some members take one request only.
    pub(super) fn has_trials(&self) -> bool {
        self.trials
    }

    /// The endpoints that may be picked, ascending.
    pub(super) fn members(&self) -> &[u32] {
        &self.members
    }

    /// The weight of `endpoint`; 0 if it may not be picked.
    pub(super) fn weight(&self, endpoint: usize) -> u32 {
        self.weights[endpoint]
    }

    /// The weights of all members together.
    pub(super) fn total_weight(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// A member at random, by weight.
    fn draw(&self, random: &mut SplitMix64) -> usize {
        let point = random.below(self.total_weight());
        self.members[self.sums.partition_point(|&sum| sum <= point)] as usize
    }

    /// Whether `avoid` leaves no member.
    pub(super) fn avoids_all(&self, avoid: &[usize]) -> bool {
        avoid.len() >= self.members.len()
            && self.members.iter().all(|&member| avoid.contains(&(member as usize)))
    }
}

/// What a policy chooses from.
pub(super) struct Candidates<'a> {
    /// All endpoints of the upstream.
    pub(super) endpoints: &'a Endpoints,
    /// Those of them that may be picked.
    pub(super) view: &'a Arc<View>,
    /// Endpoints that this request must not go to; at least one member is left.
    pub(super) avoid: &'a [usize],
    /// Requests that an endpoint may have.
    pub(super) limit: u32,
}

impl Candidates<'_> {
    /// Whether `endpoint` may be chosen.
    pub(super) fn allow(&self, endpoint: usize) -> bool {
        self.view.weight(endpoint) > 0 && !self.avoid.contains(&endpoint) && !self.is_full(endpoint)
    }

    /// Whether `endpoint` has all the requests it may have.
    pub(super) fn is_full(&self, endpoint: usize) -> bool {
        self.endpoints[endpoint].load.in_flight() >= self.limit
    }

    /// An allowed member, if there is one: the next from a random place on.
    pub(super) fn any(&self, random: &mut SplitMix64) -> Option<usize> {
        let members = self.view.members();
        let (before, after) = members.split_at(random.below(members.len() as u64) as usize);
        let mut rotated = after.iter().chain(before).map(|&member| member as usize);
        rotated.find(|&member| self.allow(member))
    }

    /// An allowed member at random, by weight.
    pub(super) fn draw(&self, random: &mut SplitMix64) -> usize {
        self.first_allowed(random, |random| self.view.draw(random))
    }

    /// What `draw` yields, drawn again where it is to be avoided; if that goes on, the next
    /// allowed member from a random place on.
    pub(super) fn first_allowed(
        &self,
        random: &mut SplitMix64,
        mut draw: impl FnMut(&mut SplitMix64) -> usize,
    ) -> usize {
        let mut drawn = draw(random);
        for _ in 0..self.avoid.len() {
            if !self.avoid.contains(&drawn) {
                break;
            }
            drawn = draw(random);
        }
        match self.avoid.contains(&drawn) {
            true => self.any(random).unwrap_or(drawn),
            false => drawn,
        }
    }
}
