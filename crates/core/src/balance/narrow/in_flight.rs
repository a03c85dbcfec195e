//! Requests in flight of a part of an upstream's endpoints, counted now and then.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use crate::balance::Endpoints;

/// Endpoints that one look pays for, in the mean.
const PAID: u32 = 16;

/// The requests in flight of a part of an upstream's endpoints, of which no sum is kept.
#[derive(Debug, Default)]
pub(super) struct InFlight(CachePadded<(AtomicU32, AtomicU64)>);

impl InFlight {
    /// The requests in flight of `members`: exact for fewer than 16 of them, else as counted at most n/16
    /// looks ago.
    pub(super) fn of(&self, members: &[u32], endpoints: &Endpoints) -> u64 {
        let (looks, sum) = &*self.0;
        if looks.fetch_add(1, Relaxed) % (members.len() as u32 / PAID + 1) != 0 {
            return sum.load(Relaxed);
        }
        let of = |&member: &u32| u64::from(endpoints[member as usize].load.in_flight());
        let counted = members.iter().map(of).sum();
        sum.store(counted, Relaxed);
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::tests::{balancer, upstream};
    use crate::plan::BalancePolicy;

    #[test]
    fn few_are_counted_each_time_and_many_now_and_then() {
        for (size, looks) in [(10, 1), (160, 11)] {
            let balancer = balancer(&upstream(BalancePolicy::Random, None, &vec![1; size]));
            let members: Vec<u32> = (0..size as u32).collect();
            let in_flight = InFlight::default();
            assert_eq!(in_flight.of(&members, balancer.endpoints()), 0);
            balancer.endpoints()[3].load.begin();
            let seen = (1..).find(|_| in_flight.of(&members, balancer.endpoints()) == 1);
            assert_eq!(seen, Some(looks), "{size}");
        }
    }
}
