//! A purse: what a gateway may spend of one key without asking.

use std::time::Duration;

use super::quota::SharedQuota;
use crate::rate::key::{Key, SharedKey};
use crate::time::Moment;

/// What comes back in so many microseconds is so little that others will have it before a request that waits has.
const ALMOST_NOTHING: f64 = 50e3;

/// What a gateway has to say to the store of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// Units that were spent and are not booked yet; fewer than none: they were given back.
    pub spent: i64,
    /// For how long they have been spent.
    pub age: Duration,
    /// How long an answer takes: the shorter of the last two, as one may have been late.
    pub trip: Duration,
    /// Units that it wishes to spend next. Whatever was leased to it before is given back.
    pub wish: u64,
    /// Whether all that was spent before is to be forgotten.
    pub afresh: bool,
    /// Whether the gateway decided alone meanwhile, by its own part of the quota. What it spent then is not booked as
    /// such: it tells how far it believes all are, and the store goes on from there.
    pub alone: bool,
}

/// An order of a key, as it is placed.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The key.
    pub key: Key,
    /// What the store calls it.
    pub name: SharedKey,
    /// What is said.
    pub order: Order,
    /// Microseconds until all is back, by window, as far as the gateway knows; nothing unless it was alone.
    pub ahead: Box<[f64]>,
}

/// What the store says to an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// Units that may be spent from now on.
    pub units: u64,
    /// Microseconds until all is back, by window; other gateways' leases count as spent.
    pub ahead: Box<[f64]>,
}

/// Units that moved between a gateway and the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Leased by the store.
    pub leased: u64,
    /// Spent without a lease.
    pub credit: u64,
    /// Leased and given back unspent.
    pub returned: u64,
}

/// What a gateway may spend of one key without asking, and what it has spent and not booked yet.
#[derive(Debug)]
pub struct Purse {
    /// What the store calls the key.
    pub(super) name: SharedKey,
    /// Whether it is among those with something to say.
    pub(super) is_listed: bool,
    lease: u64,
    credit: u64,
    /// Of the lease what is given back by the order that is on its way.
    returned: u64,
    /// Spent and not booked yet, what is on its way included.
    spent: i64,
    since: Moment,
    /// What of it is on its way to the store, and since when that was spent.
    told: Option<(i64, Moment)>,
    /// What was asked for between two orders of late.
    lately: u64,
    /// When the last order was placed.
    ordered: Moment,
    /// How long the last two answers took.
    trips: [Duration; 2],
    /// What requests were refused for, or wait for.
    needs: u64,
    /// Units that requests were refused since the last order.
    refused: u64,
    word: Option<Word>,
    afresh: bool,
    alone: bool,
}

/// When the store last told of the key, and how.
#[derive(Debug, Clone, Copy)]
struct Word {
    at: Moment,
    /// It had less than was wished for, or nothing more.
    is_short: bool,
    /// When what was spent beyond what the bucket held will have come back.
    solvent: Moment,
}

impl Purse {
    /// Of a key of which the store has not told since the last `silence` (`None`: never).
    pub(super) fn new(
        name: SharedKey,
        quotas: &[SharedQuota],
        gateways: u32,
        silence: Option<Duration>,
    ) -> Self {
        Self {
            name,
            is_listed: false,
            lease: 0,
            returned: 0,
            credit: credit(quotas, gateways, silence),
            spent: 0,
            since: Moment(0),
            told: None,
            lately: 0,
            ordered: Moment(0),
            trips: [Duration::ZERO; 2],
            needs: 0,
            refused: 0,
            word: None,
            afresh: false,
            alone: false,
        }
    }

    /// Units that may be spent; fewer than none: they are owed.
    pub(super) fn available(&self) -> i64 {
        (self.lease + self.credit) as i64 - self.spent
    }

    /// Units that were spent and are not booked yet; fewer than none: they were given back.
    pub(super) fn unbooked(&self) -> i64 {
        self.spent
    }

    /// Spend `units`, whether they are there or not.
    pub(super) fn spend(&mut self, units: u64, now: Moment) {
        if self.spent == self.told.map_or(0, |(told, _)| told) {
            self.since = now;
        }
        self.spent += units as i64;
    }

    /// Take back what was spent.
    pub(super) fn give_back(&mut self, units: u64) {
        self.spent -= units as i64;
    }

    /// The gateway decides alone.
    pub(super) fn leave_alone(&mut self) {
        self.alone = true;
    }

    /// A request needs `units` and cannot have them: wish for them.
    pub(super) fn refused(&mut self, units: u64) {
        self.needs = self.needs.max(units);
        self.refused = self.refused.saturating_add(units);
    }

    /// A request waits for `units`: wish for these and what others wait for.
    pub(super) fn awaited(&mut self, units: u64) {
        self.needs += units;
    }

    /// All that was spent before is to be forgotten.
    pub(super) fn forget(&mut self) {
        (self.spent, self.alone, self.afresh) = (0, false, true);
    }

    /// Whether the store told of it within `limit`, and that there is no more to be had.
    pub(super) fn is_known_short(&self, limit: Duration, now: Moment) -> bool {
        self.word.is_some_and(|word| word.is_short && now.since(word.at) < limit)
    }

    /// Whether the store told of it within `limit`.
    pub(super) fn is_heard(&self, limit: Duration, now: Moment) -> bool {
        self.word.is_some_and(|word| now.since(word.at) < limit)
    }

    /// A request comes after a pause: what may be spent on credit grows with the time for which the store has told
    /// nothing.
    pub(super) fn wake(&mut self, quotas: &[SharedQuota], gateways: u32, now: Moment) {
        let Some(word) = self.word.filter(|_| self.is_quiet()) else { return };
        let silence = now.since(word.at);
        let is_silent = quotas.iter().all(|quota| quota.is_silent(Some(silence)));
        if word.solvent <= word.at || (is_silent && word.solvent <= now) {
            self.credit = credit(quotas, gateways, Some(silence));
        }
    }

    /// Whether it has nothing to say: it can be forgotten at little loss.
    pub(super) fn is_quiet(&self) -> bool {
        self.told.is_none()
            && self.spent == 0
            && self.lease == 0
            && self.needs == 0
            && !self.afresh
            && !self.alone
    }

    /// What is to be said now.
    pub(super) fn order(&mut self, quotas: &[SharedQuota], now: Moment) -> Order {
        let used = u64::try_from(self.spent).unwrap_or(0);
        self.lately = used.saturating_add(std::mem::take(&mut self.refused)).max(self.lately / 2);
        let gap = now.since(std::mem::replace(&mut self.ordered, now));
        let trip = self.trips[0].min(self.trips[1]);
        let most = quotas.iter().map(|quota| quota.most_leased(gap, trip)).min();
        let most = most.unwrap_or(u64::MAX);
        let wish = match (self.lately, self.needs) {
            (0, 0) => 0,
            (lately, needs) => needs.max(lately.saturating_mul(2).clamp(1, most)),
        };
        self.needs = 0;
        // What the store may lease to others as soon as it hears of it is not spent meanwhile.
        self.returned = self.lease.saturating_sub(used).saturating_sub(wish);
        self.lease -= self.returned;
        self.told = Some((self.spent, self.since));
        let spent = if self.alone { 0 } else { self.spent };
        let age = if spent > 0 { now.since(self.since) } else { Duration::ZERO };
        Order { spent, age, trip, wish, afresh: self.afresh, alone: self.alone }
    }

    /// The store answered the order with this `grant`, where it was wished for `wish`.
    pub(super) fn granted(
        &mut self,
        order: &Order,
        grant: &Grant,
        quotas: &[SharedQuota],
        gateways: u32,
        now: Moment,
    ) -> Tokens {
        let Some((told, _)) = self.told.take() else { return Tokens::default() };
        let used = self.lease.min(u64::try_from(told).unwrap_or(0));
        let tokens = Tokens {
            leased: grant.units,
            credit: u64::try_from(told).unwrap_or(0) - used,
            returned: self.lease - used + self.returned,
        };
        self.trips = [self.trips[1], now.since(self.ordered)];
        self.spent -= told;
        self.afresh &= !order.afresh;
        self.alone &= !order.alone;
        self.lease = grant.units;
        let windows = || quotas.iter().zip(&grant.ahead);
        let debt = windows().map(|(quota, ahead)| ahead - quota.span).fold(0.0, f64::max);
        let known = || credit(quotas, gateways, Some(Duration::ZERO));
        self.credit = if debt > 0.0 { 0 } else { known() };
        let left = |(quota, ahead): (&SharedQuota, &f64)| {
            let left = quota.span - ahead - grant.units as f64 * quota.interval;
            left >= quota.interval.max(ALMOST_NOTHING)
        };
        let is_short = grant.units < order.wish || !windows().all(left);
        let solvent = now.after(Duration::from_micros(debt.ceil() as u64));
        self.word = Some(Word { at: now, is_short, solvent });
        tokens
    }

    /// The order was not answered: what it said is to be said again.
    pub(super) fn unanswered(&mut self) {
        if let Some((told, since)) = self.told.take()
            && told != 0
        {
            self.since = since;
        }
    }
}

/// What may be spent without a lease.
fn credit(quotas: &[SharedQuota], gateways: u32, silence: Option<Duration>) -> u64 {
    quotas.iter().map(|quota| quota.credit(gateways, silence)).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::testing::window;

    const SECOND: Duration = Duration::from_secs(1);

    const fn at(millis: u64) -> Moment {
        Moment(millis * 1_000_000)
    }

    fn quotas(quota: u64, burst: u64) -> Box<[SharedQuota]> {
        SharedQuota::of_windows(&[window(quota, SECOND, burst)])
    }

    /// A purse of one of three gateways and what the store says to it.
    struct Told {
        quotas: Box<[SharedQuota]>,
        purse: Purse,
    }

    impl Told {
        fn new(quota: u64, burst: u64) -> Self {
            let quotas = quotas(quota, burst);
            let purse = Purse::new(SharedKey::default(), &quotas, 3, None);
            Self { quotas, purse }
        }

        fn order(&mut self, now: u64) -> Order {
            self.purse.order(&self.quotas, at(now))
        }

        /// So many units are granted, and so much of the bucket is spent.
        fn grant(&mut self, order: &Order, units: u64, spent: u64, now: u64) -> Tokens {
            let ahead = Box::from([spent as f64 * self.quotas[0].interval]);
            self.purse.granted(order, &Grant { units, ahead }, &self.quotas, 3, at(now))
        }
    }

    #[test]
    fn a_cold_key_may_spend_its_gateways_part_of_the_burst() {
        assert_eq!(Told::new(100, 200).purse.available(), 67);
        assert_eq!(Told::new(100, 2).purse.available(), 1);
    }

    #[test]
    fn what_is_wished_for_is_twice_what_was_asked_for_and_at_most_a_tenth_of_the_quota() {
        let mut told = Told::new(1_000, 1_000);
        told.purse.spend(7, at(0));
        let order = told.order(10);
        assert_eq!((order.spent, order.wish, order.age), (7, 14, Duration::from_millis(10)));
        told.grant(&order, 14, 7, 11);
        told.purse.spend(14, at(12));
        (0..6).for_each(|_| told.purse.refused(1));
        let order = told.order(20);
        assert_eq!((order.spent, order.wish), (14, 40));
        told.grant(&order, 40, 21, 21);
        told.purse.spend(80, at(22));
        assert_eq!(told.order(30).wish, 100);
    }

    #[test]
    fn where_the_store_is_far_away_it_wishes_for_what_comes_back_until_the_next_grant_is_spent() {
        let mut told = Told::new(100, 100);
        told.purse.spend(1, at(0));
        let order = told.order(10);
        told.grant(&order, 2, 1, 210);
        (0..90).for_each(|_| told.purse.refused(1));
        let order = told.order(220);
        assert_eq!((order.wish, order.trip), (21, Duration::ZERO), "one answer may be late");
        told.grant(&order, 21, 1, 420);
        (0..90).for_each(|_| told.purse.refused(1));
        let order = told.order(430);
        assert_eq!((order.wish, order.trip), (41, Duration::from_millis(200)));
    }

    #[test]
    fn it_wishes_for_what_requests_wait_for_however_much_it_is() {
        let mut told = Told::new(100, 100);
        (0..50).for_each(|_| told.purse.awaited(1));
        assert_eq!(told.order(10).wish, 50);
        told.purse.refused(20);
        told.purse.refused(5);
        assert_eq!(told.order(20).wish, 20, "one that costs much must be able to come");
    }

    #[test]
    fn what_is_spent_while_an_order_is_on_its_way_counts_against_its_grant() {
        let mut told = Told::new(100, 100);
        told.purse.spend(5, at(0));
        let order = told.order(10);
        told.purse.spend(3, at(12));
        told.grant(&order, 10, 5, 14);
        assert_eq!(told.purse.available(), 10 + 1 - 3);
        assert_eq!(told.order(20).spent, 3, "and is booked next");
    }

    #[test]
    fn what_it_does_not_wish_for_any_more_is_not_spent_while_the_store_hears_of_it() {
        let mut told = Told::new(100, 100);
        told.purse.spend(1, at(0));
        let order = told.order(10);
        told.grant(&order, 10, 1, 11);
        assert_eq!(told.purse.available(), 11);
        let order = told.order(20);
        assert_eq!((order.wish, told.purse.available()), (0, 1), "credit alone");
        let tokens = told.grant(&order, 0, 1, 21);
        assert_eq!(tokens, Tokens { leased: 0, credit: 0, returned: 10 });
        assert!(told.purse.is_quiet());
    }

    #[test]
    fn there_is_no_credit_while_the_bucket_is_in_debt() {
        let mut told = Told::new(100, 100);
        told.purse.spend(5, at(0));
        let order = told.order(10);
        told.grant(&order, 0, 101, 11);
        assert_eq!(told.purse.available(), 0);
        told.purse.wake(&told.quotas, 3, at(500));
        assert_eq!(told.purse.available(), 0);
        told.purse.wake(&told.quotas, 3, at(1_011));
        assert_eq!(told.purse.available(), 34, "the store has told nothing for the whole window");
        told.purse.spend(5, at(2_000));
        let order = told.order(2_010);
        told.grant(&order, 0, 400, 2_011);
        told.purse.wake(&told.quotas, 3, at(5_010));
        assert_eq!(told.purse.available(), 0, "the debt was one of three seconds");
        told.purse.wake(&told.quotas, 3, at(5_011));
        assert_eq!(told.purse.available(), 34);
    }

    #[test]
    fn an_order_that_is_not_answered_is_placed_again_with_its_age() {
        let mut told = Told::new(100, 100);
        told.purse.spend(5, at(0));
        told.order(10);
        told.purse.spend(2, at(30));
        told.purse.unanswered();
        let order = told.order(60);
        assert_eq!((order.spent, order.age), (7, Duration::from_millis(60)));
    }

    #[test]
    fn it_knows_when_there_is_no_more_to_be_had() {
        let mut told = Told::new(100, 100);
        told.purse.spend(5, at(0));
        let order = told.order(10);
        told.grant(&order, 3, 97, 11);
        assert!(told.purse.is_known_short(SECOND, at(12)));
        assert!(!told.purse.is_known_short(Duration::from_millis(100), at(200)), "long ago");
        let order = told.order(20);
        told.grant(&order, order.wish, 50, 21);
        assert!(!told.purse.is_known_short(SECOND, at(22)));
    }
}
