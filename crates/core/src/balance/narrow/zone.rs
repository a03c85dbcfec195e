//! Zones: the gateway's own first.
//!
//! Requests that stay in their zone are quicker and cost less. But a zone with few endpoints must not
//! be overloaded by its own gateways. These are taken to be spread evenly over the zones, so with Z
//! zones a gateway's zone gets 1/Z of all requests. If its endpoints are at least 1/Z of the capacity, all
//! of them stay; else so many that the local endpoints carry what the others carry, and the rest goes to
//! the zones that have capacity left (the rule of Envoy's zone-aware routing).

use std::sync::Arc;

use smallvec::SmallVec;

use super::group::Group;
use super::standing::Standing;
use crate::balance::Build;
use crate::plan;

/// The endpoints of a tier by zone.
#[derive(Debug)]
pub(super) struct Zones {
    /// The local one first, those without a zone last.
    groups: SmallVec<[Arc<Group>; 4]>,
    /// How many of `groups` are zones that gateways may be in.
    named: usize,
    minimum: usize,
}

impl Zones {
    /// The zones of `tier` as seen from `local`; `None` where there is nothing to prefer.
    pub(super) fn new(
        upstream: &plan::Upstream,
        build: &Build,
        tier: &Arc<Group>,
        local: Option<&str>,
    ) -> Option<Self> {
        let (local, wanted) = (local?, upstream.balance.zone_aware.as_ref()?);
        let rank = |zone: Option<&str>| match zone {
            Some(zone) if zone == local => 0,
            Some(_) => 1,
            None => 2,
        };
        let zones = tier.split_by(upstream, build, |endpoint| {
            (rank(endpoint.zone.as_deref()), endpoint.zone.clone())
        });
        let named = zones.iter().filter(|((rank, _), _)| *rank < 2).count();
        let is_local = zones.first().is_some_and(|((rank, _), _)| *rank == 0);
        (is_local && zones.len() > 1).then(|| Self {
            groups: zones.into_iter().map(|(_, group)| group).collect(),
            named,
            minimum: wanted.minimum_endpoints as usize,
        })
    }

    /// The share of each zone; `None` where zones are not looked at: too few endpoints are available
    /// in all, or none in the local zone.
    pub(super) fn shares(
        &self,
        standings: &[Standing],
    ) -> Option<impl Iterator<Item = (&Group, f64)> + use<'_>> {
        let available: usize = self.groups.iter().map(|group| group.available(standings)).sum();
        let capacities: SmallVec<[u64; 4]> =
            self.groups.iter().map(|group| group.capacity(standings).0).collect();
        let wanted = available >= self.minimum && capacities[0] > 0;
        let shares = wanted.then(|| shares(&capacities, self.named));
        shares.map(|shares| self.groups.iter().map(|group| &**group).zip(shares))
    }
}

/// The share of each zone by its capacity, the local one first; the first `named` have gateways.
fn shares(capacities: &[u64], named: usize) -> SmallVec<[f64; 4]> {
    let sum = capacities.iter().sum::<u64>() as f64;
    let demand = 1.0 / named as f64;
    let part = |capacity: u64| capacity as f64 / sum;
    let local = (part(capacities[0]) / demand).min(1.0);
    // What a zone's own gateways leave of its endpoints.
    let spare = |(at, &capacity): (usize, &u64)| match at {
        0 => 0.0,
        at if at < named => (part(capacity) - demand).max(0.0),
        _ => part(capacity),
    };
    let spares: f64 = capacities.iter().enumerate().map(spare).sum();
    let mut shares: SmallVec<[f64; 4]> =
        capacities.iter().enumerate().map(|zone| (1.0 - local) * spare(zone) / spares).collect();
    if spares == 0.0 {
        shares.fill(0.0);
    }
    shares[0] = local;
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(capacities: &[u64], named: usize) -> Vec<f64> {
        shares(capacities, named).iter().map(|share| (share * 1000.0).round() / 1000.0).collect()
    }

    #[test]
    fn all_stays_where_the_zone_can_carry_its_part() {
        assert_eq!(rounded(&[4, 4, 4], 3), [1.0, 0.0, 0.0]);
        assert_eq!(rounded(&[9, 4, 4], 3), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_small_zone_keeps_so_much_that_its_endpoints_carry_what_others_carry() {
        // It gets half of all requests and has a quarter of the capacity.
        assert_eq!(rounded(&[1, 3], 2), [0.5, 0.5]);
        // Of the others only those with capacity to spare take part.
        assert_eq!(rounded(&[1, 3, 8], 3), [0.25, 0.0, 0.75]);
    }

    #[test]
    fn endpoints_without_a_zone_are_all_to_spare() {
        assert_eq!(rounded(&[1, 1], 1), [0.5, 0.5]);
    }
}
