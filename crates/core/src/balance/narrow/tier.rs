//! Tiers: endpoints by priority, with spill-over.

use std::sync::Arc;

use smallvec::SmallVec;

use super::group::Group;
use super::standing::Standing;
use super::view::{Views, views};
use super::zone::Zones;
use crate::balance::Build;
use crate::plan;

/// The endpoints of an upstream or of a subset, by priority.
#[derive(Debug)]
pub(super) struct Tiers {
    all: Arc<Group>,
    /// The preferred one first.
    tiers: Vec<Tier>,
    spill_over: f64,
    panic_threshold: f64,
}

#[derive(Debug)]
struct Tier {
    group: Arc<Group>,
    zones: Option<Zones>,
}

impl Tiers {
    pub(super) fn new(
        upstream: &plan::Upstream,
        build: &Build,
        members: Vec<u32>,
        zone: Option<&str>,
    ) -> Self {
        let all = Group::new(upstream, build, members);
        let tiers = all
            .split_by(upstream, build, |endpoint| endpoint.priority)
            .into_iter()
            .map(|(_, group)| Tier { zones: Zones::new(upstream, build, &group, zone), group })
            .collect();
        Self {
            all,
            tiers,
            spill_over: upstream.balance.spill_over.fraction(),
            panic_threshold: upstream.health.panic_threshold.fraction(),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> &Group {
        &self.all
    }

    /// Where requests go: in panic, when all tiers together cannot take everything and less than the panic
    /// threshold of their weight is available, to all that are open.
    pub(super) fn views(&self, standings: &[Standing]) -> Views {
        let capacities: SmallVec<[(u64, u64); 4]> =
            self.tiers.iter().map(|tier| tier.group.capacity(standings)).collect();
        let shares = shares(&capacities, self.spill_over);
        if shares.iter().sum::<f64>() < 1.0 && self.all.is_scarce(standings, self.panic_threshold) {
            return views(&[(&*self.all, 1.0)], standings, true);
        }
        let mut groups: SmallVec<[(&Group, f64); 4]> = SmallVec::new();
        for (tier, share) in self.tiers.iter().zip(shares) {
            match tier.zones.as_ref().and_then(|zones| zones.shares(standings)) {
                None => groups.push((&*tier.group, share)),
                Some(zones) => groups.extend(zones.map(|(group, part)| (group, share * part))),
            }
        }
        views(&groups, standings, false)
    }
}

/// The share of each tier, by what is available of its weight and all of it.
///
/// A tier can take all requests while `spill_over` of its weight is available, and below that so much less.
/// What it cannot take goes to the next; where all together cannot take everything, they share in
/// proportion to what they can (as Envoy's priority levels with their overprovisioning factor).
fn shares(capacities: &[(u64, u64)], spill_over: f64) -> SmallVec<[f64; 4]> {
    let able = |&(available, all): &(u64, u64)| match available {
        0 => 0.0,
        _ => (available as f64 / (all as f64 * spill_over)).min(1.0),
    };
    let mut left = capacities.iter().map(able).sum::<f64>().min(1.0);
    capacities
        .iter()
        .map(|capacity| {
            let share = able(capacity).min(left);
            left -= share;
            share
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(capacities: &[(u64, u64)]) -> Vec<f64> {
        let shares = shares(capacities, 0.7);
        let sum: f64 = shares.iter().sum();
        shares.iter().map(|share| (share / sum * 1000.0).round() / 1000.0).collect()
    }

    #[test]
    fn the_first_tier_takes_all_while_enough_of_it_is_available() {
        assert_eq!(spread(&[(10, 10), (10, 10)]), [1.0, 0.0]);
        assert_eq!(spread(&[(7, 10), (10, 10)]), [1.0, 0.0]);
    }

    #[test]
    fn what_it_cannot_take_goes_to_the_next_tiers_in_turn() {
        assert_eq!(spread(&[(35, 100), (10, 10)]), [0.5, 0.5]);
        assert_eq!(spread(&[(0, 10), (35, 100), (1, 1)]), [0.0, 0.5, 0.5]);
        assert_eq!(spread(&[(0, 10), (10, 10), (1, 1)]), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn tiers_that_cannot_take_everything_share_in_proportion() {
        assert_eq!(spread(&[(14, 100), (28, 100)]), [0.333, 0.667]);
    }
}
