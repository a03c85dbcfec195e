//! The pool of probe answers.

use std::time::Duration;

use super::hot::Hot;
use super::uses::Uses;
use crate::balance::SplitMix64;
use crate::plan;
use crate::time::Moment;

/// What a probe found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// Whom it was about.
    pub(super) endpoint: u32,
    /// When.
    pub(super) at: Moment,
    /// Requests in flight with one more, by strength; infinite if it takes no more.
    pub(super) burden: f32,
    /// Seconds, by strength.
    pub(super) latency: f32,
    /// What one request adds to the burden.
    pub(super) step: f32,
}

/// Answers, at most one of an endpoint.
///
/// Each pick searches it several times, so what is searched for lies apart from the rest.
#[derive(Debug)]
pub(super) struct Pool {
    answers: Vec<Answer>,
    /// How often each answer may still be used.
    uses: Vec<u32>,
    /// Whom each answer is about.
    endpoints: Vec<u32>,
    /// How good each answer is: the better, the less.
    ranks: Vec<u32>,
    hot: Hot,
    limit: Uses,
    most: usize,
    age: Duration,
    /// No answer is older.
    oldest_at: Moment,
    remove: u32,
    /// Whether the oldest or the worst is removed next.
    oldest_next: bool,
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(plan: &plan::Prequal) -> Self {
        let most = plan.pool as usize;
        Self {
            answers: Vec::with_capacity(most),
            uses: Vec::with_capacity(most),
            endpoints: Vec::with_capacity(most),
            ranks: Vec::with_capacity(most),
            hot: Hot::new(plan.quantile),
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
            self.oldest_at = self.answers[oldest].at;
            if now.since(self.oldest_at) > self.age {
                self.forget(oldest);
            }
        }
    }

    /// Take in an answer about one of `n` endpoints; it replaces an older one of the same, or else the oldest.
    pub(super) fn add(&mut self, answer: Answer, n: usize, random: &mut SplitMix64) {
        if self.hot.add(answer.burden) {
            for (rank, answer) in self.ranks.iter_mut().zip(&self.answers) {
                *rank = self.hot.rank(answer);
            }
        }
        let (uses, rank) = (self.limit.draw(n, random), self.hot.rank(&answer));
        let same = self.endpoints.iter().position(|&endpoint| endpoint == answer.endpoint);
        let full = self.answers.len() == self.most;
        match same.or_else(|| self.oldest().filter(|_| full)) {
            Some(place) => {
                self.answers[place] = answer;
                self.uses[place] = uses;
                self.endpoints[place] = answer.endpoint;
                self.ranks[place] = rank;
            }
            None => {
                self.answers.push(answer);
                self.uses.push(uses);
                self.endpoints.push(answer.endpoint);
                self.ranks.push(rank);
            }
        }
    }

    /// The best endpoint of those that `allow` lets pass, if there is any; it counts as used.
    pub(super) fn take(&mut self, allow: impl Fn(usize) -> bool) -> Option<usize> {
        let (mut best, mut rank) = (None, u32::MAX);
        for (place, &its_rank) in self.ranks.iter().enumerate() {
            if its_rank < rank && allow(self.endpoints[place] as usize) {
                (best, rank) = (Some(place), its_rank);
            }
        }
        let best = best?;
        let answer = &mut self.answers[best];
        let endpoint = answer.endpoint as usize;
        answer.burden += answer.step;
        if answer.latency == 0.0 {
            // Unknown, and no longer idle.
            answer.latency = f32::MAX;
        }
        self.ranks[best] = self.hot.rank(answer);
        self.uses[best] -= 1;
        if self.uses[best] == 0 {
            self.forget(best);
        }
        for _ in 0..self.remove {
            self.remove_one();
        }
        Some(endpoint)
    }

    /// Against answers that are no longer true, and against keeping only bad ones while the good are used up.
    fn remove_one(&mut self) {
        let place = if self.oldest_next { self.oldest() } else { self.worst() };
        self.oldest_next = !self.oldest_next;
        if let Some(place) = place {
            self.forget(place);
        }
    }

    fn oldest(&self) -> Option<usize> {
        let older =
            |a: usize, b: usize| if self.answers[b].at < self.answers[a].at { b } else { a };
        (0..self.answers.len()).reduce(older)
    }

    fn worst(&self) -> Option<usize> {
        let worse = |a: usize, b: usize| if self.ranks[b] > self.ranks[a] { b } else { a };
        (0..self.ranks.len()).reduce(worse)
    }

    fn forget(&mut self, place: usize) {
        self.answers.swap_remove(place);
        self.uses.swap_remove(place);
        self.endpoints.swap_remove(place);
        self.ranks.swap_remove(place);
    }
}

#[cfg(test)]
mod tests;
