//! The bucket of a key, as the store keeps it.

use super::purse::{Grant, Order};
use super::quota::SharedQuota;

/// What the store runs for each [`Order`] (Lua, for `EVALSHA`): [`Bucket::serve`] on its own clock. Its head says
/// what it is given and answers.
pub const BUCKET_SCRIPT: &str = include_str!("bucket.lua");
/// What the store runs to count the gateways that share a limit.
pub const GATEWAYS_SCRIPT: &str = include_str!("gateways.lua");

/// What all gateways have spent of one key, and what is leased to each: the arithmetic of [`BUCKET_SCRIPT`] in Rust,
/// for simulations and to compare with. Times are in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    /// By window.
    arrivals: Vec<f64>,
    leases: Vec<Lease>,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    gateway: usize,
    units: u64,
    until: f64,
}

impl Bucket {
    /// Book what the order of a gateway says, and lease to it what there is of its wish, for so long.
    /// `ahead` is how far the gateway believes all to be, by window, where it was alone.
    ///
    /// A lease is on its way to the gateway, and word of what was spent of it on the way back, for a whole
    /// [`trip`](Order::trip). So the bucket was not full during the last one, and what comes back during the next one is
    /// leased ahead: a small bucket would be full, or empty, while nothing but words is under way.
    pub fn serve(
        &mut self,
        order: &Order,
        ahead: &[f64],
        gateway: usize,
        quotas: &[SharedQuota],
        lease: f64,
        now: f64,
    ) -> Grant {
        if order.afresh {
            self.arrivals.clear();
        }
        self.arrivals.resize(quotas.len(), 0.0);
        self.leases.retain(|each| each.until > now && each.gateway != gateway);
        let others = self.leases.iter().map(|each| each.units).sum::<u64>() as f64;
        let age = order.age.as_micros() as f64;
        let trip = lease.min(order.trip.as_micros() as f64);
        let (mut granted, mut missing_by_window) = (order.wish as i64, Vec::new());
        for (index, (quota, known)) in quotas.iter().zip(&mut self.arrivals).enumerate() {
            let believed =
                ahead.get(index).map_or(0.0, |ahead| if *ahead > 0.0 { now + ahead } else { 0.0 });
            let before = known.max(now - age.max(trip)).max(believed);
            let mut arrival = before + order.spent as f64 * quota.interval;
            if age > lease {
                arrival = arrival.min(before.max(now + 2.0 * quota.span));
            }
            *known = arrival;
            let missing = (arrival - now).max(0.0) + others * quota.interval;
            let left = quota.span + trip - missing;
            granted = granted.min((left / quota.interval + 1e-6).floor() as i64);
            missing_by_window.push(missing.ceil());
        }
        let granted = granted.max(0) as u64;
        if granted > 0 {
            self.leases.push(Lease { gateway, units: granted, until: now + lease });
        }
        Grant { units: granted, ahead: missing_by_window.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rate::testing::window;

    const SECOND: f64 = 1e6;
    const LEASE: f64 = 250e3;

    fn per_second(quota: u64, burst: u64) -> Box<[SharedQuota]> {
        SharedQuota::of_windows(&[window(quota, Duration::from_secs(1), burst)])
    }

    fn order(spent: i64, wish: u64) -> Order {
        Order { spent, wish, ..Order::default() }
    }

    #[test]
    fn what_is_leased_to_one_gateway_another_does_not_get() {
        let (quotas, mut bucket) = (per_second(10, 10), Bucket::default());
        let mut serve =
            |gateway, order, now| bucket.serve(&order, &[], gateway, &quotas, LEASE, now);
        assert_eq!(serve(0, order(0, 7), SECOND).units, 7);
        assert_eq!(serve(1, order(0, 7), SECOND).units, 3);
        assert_eq!(serve(1, order(0, 3), SECOND).units, 3, "its own lease is not in its way");
        assert_eq!(serve(0, order(0, 0), SECOND).units, 0, "given back");
        assert_eq!(serve(1, order(0, 10), SECOND).units, 10);
    }

    #[test]
    fn a_lease_ends_by_itself_and_what_was_spent_is_booked() {
        let (quotas, mut bucket) = (per_second(10, 10), Bucket::default());
        let mut serve =
            |gateway, order, now| bucket.serve(&order, &[], gateway, &quotas, LEASE, now);
        assert_eq!(serve(0, order(0, 10), SECOND).units, 10);
        assert_eq!(serve(1, order(0, 1), SECOND + LEASE - 1.0).units, 0);
        assert_eq!(serve(1, order(0, 1), SECOND + LEASE).units, 1);
        assert_eq!(serve(0, order(10, 10), 1.3 * SECOND).units, 0);
        assert_eq!(serve(2, order(0, 1), 1.3 * SECOND).ahead[0], 1.1 * SECOND, "one is leased");
    }

    #[test]
    fn units_are_booked_for_when_they_were_spent() {
        let (quotas, mut bucket) = (per_second(10, 10), Bucket::default());
        let age = Duration::from_millis(500);
        let grant = bucket.serve(&Order { age, ..order(4, 10) }, &[], 0, &quotas, SECOND, SECOND);
        assert_eq!(grant.units, 10, "four came back meanwhile");
    }

    #[test]
    fn the_bucket_of_a_gateway_that_is_far_away_was_not_full_while_its_lease_was_on_its_way() {
        let (quotas, trip) = (per_second(10, 4), Duration::from_millis(200));
        let spent = |trip| {
            let mut bucket = Bucket::default();
            let far = Order { trip, ..order(4, 0) };
            bucket.serve(&far, &[], 0, &quotas, LEASE, SECOND);
            bucket.serve(&order(0, 9), &[], 1, &quotas, LEASE, SECOND).units
        };
        assert_eq!((spent(Duration::ZERO), spent(trip)), (0, 2));
    }

    #[test]
    fn what_comes_back_while_an_answer_is_on_its_way_is_leased_ahead() {
        let (quotas, mut bucket) = (per_second(10, 4), Bucket::default());
        let mut serve =
            |gateway, order, now| bucket.serve(&order, &[], gateway, &quotas, LEASE, now).units;
        let trip = Duration::from_millis(200);
        assert_eq!(serve(0, Order { trip, ..order(0, 9) }, SECOND), 6);
        assert_eq!(serve(1, Order { trip, ..order(0, 9) }, SECOND), 0, "once");
        let trip = Duration::from_secs(10);
        assert_eq!(serve(0, Order { trip, ..order(0, 9) }, SECOND), 6, "for a lease at most");
    }

    #[test]
    fn what_was_spent_while_the_store_was_away_makes_no_more_debts_than_the_burst() {
        let (quotas, mut bucket) = (per_second(10, 10), Bucket::default());
        let age = Duration::from_secs(10);
        let grant =
            bucket.serve(&Order { age, ..order(1_000, 1) }, &[], 0, &quotas, LEASE, 20.0 * SECOND);
        assert_eq!((grant.units, grant.ahead[0]), (0, 2.0 * SECOND));
    }

    #[test]
    fn of_gateways_that_were_alone_the_one_that_was_farthest_counts() {
        let (quotas, mut bucket) = (per_second(10, 10), Bucket::default());
        let order = Order { alone: true, ..order(0, 10) };
        let mut serve = |ahead: f64| {
            let grant = bucket.serve(&order, &[ahead], 0, &quotas, LEASE, SECOND);
            (grant.units, grant.ahead[0])
        };
        assert_eq!(serve(400e3), (6, 400e3));
        assert_eq!(serve(900e3), (1, 900e3));
        assert_eq!(serve(100e3), (1, 900e3));
    }

    #[test]
    fn all_windows_must_have_what_is_leased() {
        let windows = [10, 60].map(|per| window(10, Duration::from_secs(per), 10));
        let (quotas, mut bucket) = (SharedQuota::of_windows(&windows), Bucket::default());
        let mut serve = |order, now| bucket.serve(&order, &[], 0, &quotas, LEASE, now);
        assert_eq!(serve(order(8, 10), SECOND).units, 2);
        assert_eq!(serve(order(0, 10), 11.0 * SECOND).units, 3);
    }
}
