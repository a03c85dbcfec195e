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

    /// Whether it is worth it that a request which costs so much takes this, where so many wait for the quick
    /// workers. It takes so much longer itself; but it waits for none of those before it, each of those behind it
    /// waits for one fewer, and the quick workers are spared its own cost: (slower − 1) × cost < waiting × (every +
    /// cost ÷ quick). With requests that cost alike it is a threshold of the queue, which is best (Lin and Kumar,
    /// *Optimal Control of a Queueing System with Two Heterogeneous Servers*, 1984).
    fn is_worth(&self, cost: Duration, waiting: usize) -> bool {
        let longer = cost.as_secs_f64() * f64::from(self.slower - 1.0);
        let sooner = self.every.as_secs_f64() + cost.as_secs_f64() / f64::from(self.quick);
        longer < sooner * waiting as f64
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
        self.asked += 1;
        self.asked <= ASKED && offer.is_worth(cost, self.waiting)
    }

    /// What the last one was asked to take; `None`: it was not asked.
    pub(super) fn asked(&self) -> Option<Offer> {
        self.offer.filter(|_| (1..=ASKED).contains(&self.asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: Offer = Offer { slower: 10.0, every: Duration::from_millis(2), quick: 20 };

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
    fn the_more_wait_the_heavier_are_those_that_take_it() {
        // 9 × 1 ms < (2 ms + 0.05 ms) × 5.
        assert_eq!(asks(&[Some(1); 4]), None);
        assert_eq!(asks(&[Some(1); 5]), Some(0));
    }

    #[test]
    fn a_request_of_which_nothing_is_predicted_takes_whatever_there_is() {
        assert_eq!(asks(&[Some(400), None]), Some(1));
    }

    #[test]
    fn what_takes_for_ever_is_taken_by_none_of_which_a_cost_is_predicted() {
        let offer = Offer { slower: f32::INFINITY, ..OFFER };
        assert_eq!(asks_for(offer, &[Some(0), Some(4), Some(400)]), None);
    }

    #[test]
    fn the_quick_workers_are_not_all_left_to_the_heavy() {
        let offer = Offer { slower: 2.0, ..OFFER };
        let takes = |waiting| offer.is_worth(Duration::from_secs(1), waiting);
        assert!(!takes(19) && takes(20), "it would keep one of twenty from each that waits");
    }

    #[test]
    fn no_more_than_sixteen_are_asked() {
        let mut costs = vec![Some(400); 16];
        costs.push(Some(0));
        assert_eq!(asks(&costs), None);
    }

    #[test]
    fn where_nothing_better_can_be_waited_for_the_first_goes_in() {
        assert!(Asking::new(None, 1).takes(Some(Duration::MAX)));
    }
}
