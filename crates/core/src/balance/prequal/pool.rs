//! The pool of probe results.

use std::time::Duration;

use super::hot::Hot;
use super::probe_result::ProbeResult;
use super::uses::Uses;
use crate::balance::SplitMix64;
use crate::plan;
use crate::time::Moment;

/// A result in the pool.
#[derive(Debug)]
struct Kept {
    result: ProbeResult,
    /// How often it may still be used.
    uses: u32,
}

/// Results, at most one of an endpoint.
///
/// Each pick searches it several times, so what is searched for lies apart from the rest.
#[derive(Debug)]
pub(super) struct Pool {
    kept: Vec<Kept>,
    /// The endpoint of each result.
    endpoints: Vec<u32>,
    /// How good each result is: the better, the less.
    ranks: Vec<u32>,
    hot: Hot,
    limit: Uses,
    most: usize,
    age: Duration,
    /// No result is older.
    oldest_at: Moment,
    remove: u32,
    /// Whether the oldest or the worst is removed next.
    oldest_next: bool,
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(plan: &plan::Prequal) -> Self {
        let most = plan.pool.get() as usize;
        Self {
            kept: Vec::with_capacity(most),
            endpoints: Vec::with_capacity(most),
            ranks: Vec::with_capacity(most),
            hot: Hot::new(plan.percentile.fraction()),
            limit: Uses::new(plan),
            most,
            age: plan.age.duration(),
            oldest_at: Moment(0),
            remove: plan.remove,
            oldest_next: true,
        }
    }

    /// Forget what is too old at `now`.
    pub(super) fn expire(&mut self, now: Moment) {
        while now.since(self.oldest_at) > self.age {
            let Some(oldest) = self.oldest() else { return };
            self.oldest_at = self.kept[oldest].result.at;
            if now.since(self.oldest_at) > self.age {
                self.forget(oldest);
            }
        }
    }

    /// Take in a result about one of `n` endpoints; it replaces an older one of the same, or else the oldest.
    pub(super) fn add(&mut self, result: ProbeResult, n: usize, random: &mut SplitMix64) {
        if self.hot.add(result.burden) {
            for (rank, kept) in self.ranks.iter_mut().zip(&self.kept) {
                *rank = self.hot.rank(&kept.result);
            }
        }
        let rank = self.hot.rank(&result);
        let kept = Kept { result, uses: self.limit.draw(n, random) };
        let same = self.endpoints.iter().position(|&endpoint| endpoint == result.endpoint);
        let place = match same {
            None if self.kept.len() == self.most => self.oldest(),
            same => same,
        };
        match place {
            Some(place) => {
                self.kept[place] = kept;
                self.endpoints[place] = result.endpoint;
                self.ranks[place] = rank;
            }
            None => {
                self.kept.push(kept);
                self.endpoints.push(result.endpoint);
                self.ranks.push(rank);
            }
        }
    }

    /// The best endpoint of those that `allow` lets pass, if there is any; it counts as used.
    pub(super) fn take(&mut self, allow: impl Fn(usize) -> bool) -> Option<usize> {
        let allowed = |&place: &usize| allow(self.endpoints[place] as usize);
        // Nearly always the best of all is allowed.
        let best =
            self.best(|_| true).filter(allowed).or_else(|| self.best(|place| allowed(&place)));
        let best = best?;
        let Kept { result, uses } = &mut self.kept[best];
        let endpoint = result.endpoint as usize;
        result.burden += result.step;
        if result.latency == 0.0 {
            // Unknown, and no longer idle.
            result.latency = f32::MAX;
        }
        self.ranks[best] = self.hot.rank(result);
        *uses -= 1;
        if *uses == 0 {
            self.forget(best);
        }
        for _ in 0..self.remove {
            self.remove_one();
        }
        Some(endpoint)
    }

    /// Against results that are no longer true, and against keeping only bad ones while the good are used up.
    fn remove_one(&mut self) {
        let place = if self.oldest_next { self.oldest() } else { self.worst() };
        self.oldest_next = !self.oldest_next;
        if let Some(place) = place {
            self.forget(place);
        }
    }

    fn oldest(&self) -> Option<usize> {
        let oldest = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.result.at);
        oldest.map(|(place, _)| place)
    }

    /// The best of the results that `which` lets pass.
    fn best(&self, which: impl Fn(usize) -> bool) -> Option<usize> {
        // Rank and place in one number, so that the search has no branches.
        let ranked = self.ranks.iter().enumerate().filter(|&(place, _)| which(place));
        let best = ranked.map(|(place, &rank)| (u64::from(rank) << 32) | place as u64).min();
        best.map(|best| best as u32 as usize)
    }

    fn worst(&self) -> Option<usize> {
        let worst = self.ranks.iter().enumerate().max_by_key(|&(_, rank)| rank);
        worst.map(|(place, _)| place)
    }

    fn forget(&mut self, place: usize) {
        self.kept.swap_remove(place);
        self.endpoints.swap_remove(place);
        self.ranks.swap_remove(place);
    }
}

#[cfg(test)]
mod tests;
