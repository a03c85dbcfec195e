//! The endpoints of one pick.

use std::sync::Arc;

use super::narrow::View;
use super::{Endpoints, SplitMix64};

/// What a policy chooses from: a view, without what one request is to avoid.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    /// All endpoints of the upstream.
    pub(super) endpoints: &'a Endpoints,
    /// Those of them that may be picked.
    pub(super) view: &'a Arc<View>,
    /// Endpoints that this request must not go to; at least one member is left.
    pub(super) avoid: &'a [usize],
    /// Requests that an endpoint may have.
    pub(super) limit: u32,
}

impl<'a> Candidates<'a> {
    /// What may be picked of `view`, less the endpoints in `avoid`.
    pub(super) fn new(endpoints: &'a Endpoints, view: &'a Arc<View>, avoid: &'a [usize]) -> Self {
        Self { endpoints, view, avoid, limit: endpoints.limit() }
    }

    /// Whether `endpoint` may be chosen.
    pub(super) fn allow(&self, endpoint: usize) -> bool {
        self.view.has(endpoint) && !self.avoid.contains(&endpoint) && !self.is_full(endpoint)
    }

    /// Whether `endpoint` has all the requests it may have.
    pub(super) fn is_full(&self, endpoint: usize) -> bool {
        !self.endpoints[endpoint].has_room(self.limit)
    }

    /// An allowed member, if there is one: the next from a random place on.
    pub(super) fn any(&self, random: &mut SplitMix64) -> Option<usize> {
        self.rotated(random).find(|&member| self.allow(member))
    }

    /// All members, from a random place on.
    pub(super) fn rotated(&self, random: &mut SplitMix64) -> impl Iterator<Item = usize> {
        let members = self.view.members();
        let (before, after) = members.split_at(random.below(members.len() as u64) as usize);
        after.iter().chain(before).map(|&member| member as usize)
    }

    /// Requests in flight that the members share.
    pub(super) fn in_flight(&self) -> u64 {
        self.view.in_flight(self.endpoints)
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
