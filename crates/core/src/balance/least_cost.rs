//! The lowest cost of all endpoints, or of a few.
//!
//! Two drawn at random are enough to be exponentially better than one (Mitzenmacher, *The Power of Two
//! Choices in Randomized Load Balancing*, 2001), and cost the same for any number of endpoints.

use std::num::NonZeroU32;

use smallvec::SmallVec;

use super::candidates::Candidates;
use super::strength::strength;
use super::{Pick, Policy, SplitMix64};
use crate::load::Load;
use crate::time::Moment;

/// What one more request would cost at an endpoint.
pub trait Cost: Send + Sync + std::fmt::Debug {
    /// The cost by `load` at `now` for an endpoint of this strength: a finite number.
    fn of(&self, load: &Load, strength: f64, now: Moment) -> f64;
}

/// The endpoint of the lowest cost, of all endpoints or of some drawn at random.
#[derive(Debug)]
pub struct LeastCost<C> {
    cost: C,
    choices: usize,
}

impl<C: Cost> LeastCost<C> {
    /// Compare `choices` endpoints by `cost`; `None`: all.
    pub fn new(cost: C, choices: Option<NonZeroU32>) -> Self {
        Self { cost, choices: choices.map_or(usize::MAX, |choices| choices.get() as usize) }
    }

    /// Whether none of `from` is left to chance.
    pub(super) fn compares_all(&self, from: &Candidates<'_>) -> bool {
        self.choices_of(from) >= from.view.members().len()
    }

    /// How many are compared: those to be avoided may be among the drawn.
    fn choices_of(&self, from: &Candidates<'_>) -> usize {
        self.choices.saturating_add(from.avoid.len())
    }

    fn cost_of(&self, from: &Candidates<'_>, member: usize, now: Moment) -> f64 {
        self.cost.of(&from.endpoints[member].load, strength(from, member, now), now)
    }

    /// The allowed member of the lowest cost.
    fn least(
        &self,
        from: &Candidates<'_>,
        members: impl Iterator<Item = u32>,
        pick: &mut Pick<'_>,
    ) -> usize {
        let now = pick.now;
        let allowed = members.map(|member| member as usize).filter(|&member| from.allow(member));
        let costs = allowed.map(|member| (member, self.cost_of(from, member, now)));
        least(costs, pick.random).unwrap_or(0)
    }
}

impl<C: Cost> Policy for LeastCost<C> {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let members = from.view.members();
        if self.compares_all(from) {
            self.least(from, members.iter().copied(), pick)
        } else {
            let drawn = sample(members.len(), self.choices_of(from), pick.random);
            self.least(from, drawn.into_iter().map(|position| members[position]), pick)
        }
    }

    fn cost(&self, from: &Candidates<'_>, endpoint: usize, now: Moment) -> Option<f64> {
        Some(self.cost_of(from, endpoint, now))
    }
}

/// The member of the lowest cost; of equal ones, each with the same probability.
pub(super) fn least(
    costs: impl Iterator<Item = (usize, f64)>,
    random: &mut SplitMix64,
) -> Option<usize> {
    let (mut best, mut lowest, mut ties) = (None, f64::INFINITY, 0);
    for (member, cost) in costs {
        if cost < lowest {
            ties = 0;
        }
        if cost <= lowest {
            ties += 1;
            if random.below(ties) == 0 {
                (best, lowest) = (Some(member), cost);
            }
        }
    }
    best
}

/// `count` distinct numbers below `n`, each set of them with the same probability (Robert Floyd's
/// algorithm, CACM 30 (9), 1987).
pub(super) fn sample(n: usize, count: usize, random: &mut SplitMix64) -> SmallVec<[usize; 24]> {
    let mut drawn = SmallVec::new();
    for last in n - count..n {
        let candidate = random.below(last as u64 + 1) as usize;
        drawn.push(if drawn.contains(&candidate) { last } else { candidate });
    }
    drawn
}
