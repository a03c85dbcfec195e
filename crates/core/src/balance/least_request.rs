//! Least request.
//!
//! The cost of an endpoint is (requests in flight + 1) / weight: what it would carry
//! with this request, by its strength (the shortest expected delay of LVS). Either all
//! endpoints are compared, or a few drawn at random: two are enough to be exponentially
//! better than one (Mitzenmacher, *The Power of Two Choices in Randomized Load
//! Balancing*, 2001), and cost the same for any number of endpoints.

use smallvec::SmallVec;

use super::view::Candidates;
use super::{Pick, Policy, SplitMix64};

/// The fewest requests in flight, by weight, of all endpoints or of some drawn at random.
#[derive(Debug)]
pub(super) struct LeastRequest {
    choices: usize,
}

impl LeastRequest {
    /// Compare `choices` endpoints; `None`: all.
    pub(super) fn new(choices: Option<u32>) -> Self {
        Self { choices: choices.map_or(usize::MAX, |choices| choices.max(1) as usize) }
    }
}

impl Policy for LeastRequest {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let members = from.view.members();
        // Those to be avoided may be among the drawn.
        let choices = self.choices.saturating_add(from.avoid.len());
        if choices >= members.len() {
            least(from, members.iter().copied(), pick.random)
        } else {
            let drawn = sample(members.len(), choices, pick.random);
            least(from, drawn.into_iter().map(|position| members[position]), pick.random)
        }
    }
}

/// The allowed member of the lowest cost; of equal ones, each with the same probability.
fn least(
    from: &Candidates<'_>,
    members: impl Iterator<Item = u32>,
    random: &mut SplitMix64,
) -> usize {
    // More than any endpoint can have, so that the first one is better. No product below exceeds 64 bits.
    let (mut best, mut load, mut weight, mut ties) = (0, 1 << 32, 1, 0);
    for member in members.map(|member| member as usize).filter(|&member| from.allow(member)) {
        let its_load = u64::from(from.endpoints[member].load.in_flight()) + 1;
        let its_weight = u64::from(from.view.weight(member));
        // load / weight of both, multiplied by both weights
        let (its_cost, cost) = (its_load * weight, load * its_weight);
        if its_cost < cost {
            ties = 0;
        }
        if its_cost <= cost {
            ties += 1;
            if random.below(ties) == 0 {
                (best, load, weight) = (member, its_load, its_weight);
            }
        }
    }
    best
}

/// `count` distinct numbers below `n`, each set of them with the same probability (Robert Floyd's
/// algorithm, CACM 30 (9), 1987).
fn sample(n: usize, count: usize, random: &mut SplitMix64) -> SmallVec<[usize; 8]> {
    let mut drawn = SmallVec::new();
    for last in n - count..n {
        let candidate = random.below(last as u64 + 1) as usize;
        drawn.push(if drawn.contains(&candidate) { last } else { candidate });
    }
    drawn
}
