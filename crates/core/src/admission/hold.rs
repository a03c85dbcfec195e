//! Which requests take what is free, and which wait for something better.
//!
//! Where all workers that are free are slow ones, a light request takes one with little loss, while a heavy one is
//! better off waiting for a quick one. So each is asked in turn, and the first that can take it without loss to all
//! together goes in.

use std::fmt::Debug;
use std::time::Duration;

use crate::balance::Spare;

/// Requests that are asked, one after the other, before what is free is left alone.
const ASKED: u32 = 16;
/// For each request that waits so many are served sooner for what the quick workers are spared: itself, and those that come
/// before none waits any more.
const SPARED: f64 = 8.0;

/// What a request that goes in now gets, where that is worse than what it could wait for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// How many times longer than with a quick worker it takes.
    pub slower: f32,
    /// The mean time until a quick worker comes free.
    pub every: Duration,
    /// How many quick workers there are.
    pub quick: u32,
}

impl Offer {
    /// `spare`, where requests cost `mean` in the mean.
    pub fn new(spare: Spare, mean: Duration) -> Self {
        let quick = spare.quick.max(1);
        Self { slower: spare.slower, every: mean / quick, quick }
    }

    /// Whether it is worth it that a request which costs so much takes this, where so many of all that are `waiting` for
    /// the quick workers are `ahead` of it. It takes so much longer itself; but it need not wait for one to come free, and they
    /// are spared its cost: (slower − 1) × cost < (ahead + 1) × every + [`SPARED`] × waiting × cost ÷ quick. Of short queues a request
    /// takes it that would wait for longer than it takes so; beyond a threshold of their length each does (Lin and Kumar,
    /// *Optimal Control of a Queueing System with Two Heterogeneous Servers*, 1984).
    fn is_worth(&self, cost: Duration, ahead: u32, waiting: usize) -> bool {
        let cost = cost.as_secs_f64();
        let waits = f64::from(ahead + 1) * self.every.as_secs_f64();
        let spares = SPARED * waiting as f64 * cost / f64::from(self.quick);
        f64::from(self.slower - 1.0) * cost < waits + spares
    }
}

/// Knows what is free where a gate leads to.
pub trait Supply: Debug + Send + Sync {
    /// What a request that goes in now gets, where `inside` are in already; `None`: nothing worse than it could wait
    /// for.
    fn offer(&self, inside: u32) -> Option<Offer>;
}

/// Requests are asked in turn whether they take an offer.
#[derive(Debug)]
pub(super) struct Asking {
    offer: Option<Offer>,
    waiting: usize,
    asked: u32,
}

impl Asking {
    /// So many are `waiting`.
    pub(super) fn new(offer: Option<Offer>, waiting: usize) -> Self {
        Self { offer, waiting, asked: 0 }
    }

    /// Whether the next in turn, of which this cost is predicted, takes it.
    pub(super) fn takes(&mut self, cost: Option<Duration>) -> bool {
        let (Some(offer), Some(cost)) = (self.offer, cost) else { return true };
        let ahead = self.asked;
        self.asked += 1;
        ahead < ASKED && offer.is_worth(cost, ahead, self.waiting)
    }

    /// What the last one was asked to take; `None`: it was not asked, or all workers are busy, so that it left none alone.
    pub(super) fn asked(&self) -> Option<Offer> {
        self.offer.filter(|offer| offer.slower.is_finite() && (1..=ASKED).contains(&self.asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: Offer = Offer { slower: 10.0, every: Duration::from_millis(2), quick: 20 };
    const ALL_BUSY: Offer = Offer { slower: f32::INFINITY, ..OFFER };

    fn asks(costs: &[Option<u64>]) -> Option<usize> {
        asks_for(OFFER, costs)
    }

    fn asks_for(offer: Offer, costs: &[Option<u64>]) -> Option<usize> {
        let mut asking = Asking::new(Some(offer), costs.len());
        costs.iter().position(|cost| asking.takes(cost.map(Duration::from_millis)))
    }

    #[test]
    fn the_first_that_can_take_it_without_loss_does() {
        assert_eq!(asks(&[Some(400), Some(0), Some(4)]), Some(1));
        assert_eq!(asks(&[Some(400); 10]), None);
    }

    #[test]
    fn of_a_short_queue_one_takes_it_that_would_wait_longer_and_of_a_long_one_the_first() {
        // 9 × 1 ms < 2 ms × (ahead + 1) + 8 × 0.05 ms × waiting.
        assert_eq!(asks(&[Some(1); 3]), None);
        assert_eq!(asks(&[Some(1); 4]), Some(3));
        assert_eq!(asks(&[Some(1); 18]), Some(0));
    }

    #[test]
    fn a_request_of_which_nothing_is_predicted_takes_whatever_there_is() {
        assert_eq!(asks(&[Some(400), None]), Some(1));
    }

    #[test]
    fn what_takes_for_ever_is_taken_by_none_of_which_a_cost_is_predicted() {
        assert_eq!(asks_for(ALL_BUSY, &[Some(0), Some(4), Some(400)]), None);
    }

    #[test]
    fn the_quick_workers_are_not_all_left_to_the_heavy() {
        let offer = Offer { slower: 2.0, ..OFFER };
        let takes = |waiting| offer.is_worth(Duration::from_secs(1), 0, waiting);
        assert!(!takes(2) && takes(3), "it would keep one of twenty from all that come meanwhile");
    }

    #[test]
    fn no_more_than_sixteen_are_asked() {
        let offer = Offer { quick: 200, ..OFFER };
        let mut costs = vec![Some(400); 15];
        costs.push(Some(0));
        assert_eq!(asks_for(offer, &costs), Some(15));
        costs.insert(0, Some(400));
        assert_eq!(asks_for(offer, &costs), None);
    }

    #[test]
    fn a_request_leaves_a_worker_alone_only_where_one_is_free() {
        for (offer, expected) in [(OFFER, Some(OFFER)), (ALL_BUSY, None)] {
            let mut asking = Asking::new(Some(offer), 1);
            assert!(!asking.takes(Some(Duration::from_millis(400))));
            assert_eq!(asking.asked(), expected);
        }
    }

    #[test]
    fn where_nothing_better_can_be_waited_for_the_first_goes_in() {
        assert!(Asking::new(None, 1).takes(Some(Duration::MAX)));
    }
}
