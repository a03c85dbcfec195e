//! The pool of probe answers.

use std::time::Duration;

use super::hot::Hot;
use crate::balance::SplitMix64;
use crate::plan;
use crate::time::Moment;

/// What a probe found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// Whom it was about.
    pub(super) endpoint: u32,
    /// How often it may be used.
    pub(super) uses: u32,
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
    /// Whom each answer is about.
    endpoints: Vec<u32>,
    /// How good each answer is: the better, the less.
    ranks: Vec<u32>,
    hot: Hot,
    most: usize,
    age: Duration,
    probes: f64,
    remove: u32,
    delta: f64,
    /// Whether the oldest or the worst is removed next.
    oldest_next: bool,
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(plan: &plan::Prequal) -> Self {
        let most = plan.pool as usize;
        Self {
            answers: Vec::with_capacity(most),
            endpoints: Vec::with_capacity(most),
            ranks: Vec::with_capacity(most),
            hot: Hot::new(plan.quantile),
            most,
            age: plan.age.duration(),
            probes: f64::from(plan.probes),
            remove: plan.remove,
            delta: plan.reuse,
            oldest_next: true,
        }
    }

    /// Forget what is too old at `now`.
    pub(super) fn expire(&mut self, now: Moment) {
        let age = self.age;
        let is_old = |answer: &Answer| now.since(answer.at) > age;
        while let Some(old) = self.answers.iter().position(is_old) {
            self.remove(old);
        }
    }

    /// How often an answer may be used among `n` endpoints.
    pub(super) fn uses(&self, n: usize) -> Uses {
        let kept = (1.0 - self.most as f64 / n as f64) * self.probes - f64::from(self.remove);
        // So few endpoints that their answers are replaced before they wear out.
        Uses(if kept > 0.0 { ((1.0 + self.delta) / kept).max(1.0) } else { f64::INFINITY })
    }

    /// Take in an answer; it replaces an older one of the endpoint, or else the oldest of all.
    pub(super) fn add(&mut self, answer: Answer) {
        if self.hot.add(answer.burden) {
            for (rank, answer) in self.ranks.iter_mut().zip(&self.answers) {
                *rank = self.hot.rank(answer);
            }
        }
        let same = self.endpoints.iter().position(|&endpoint| endpoint == answer.endpoint);
        let rank = self.hot.rank(&answer);
        match same {
            None if self.answers.len() < self.most => {
                self.answers.push(answer);
                self.endpoints.push(answer.endpoint);
                self.ranks.push(rank);
            }
            found => {
                let place = found.unwrap_or_else(|| self.oldest());
                self.answers[place] = answer;
                self.endpoints[place] = answer.endpoint;
                self.ranks[place] = rank;
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
        answer.uses -= 1;
        answer.burden += answer.step;
        if answer.latency == 0.0 {
            // Unknown, and no longer idle.
            answer.latency = f32::MAX;
        }
        if answer.uses == 0 {
            self.remove(best);
        } else {
            self.ranks[best] = self.hot.rank(&self.answers[best]);
        }
        for _ in 0..self.remove.min(self.answers.len() as u32) {
            self.remove_one();
        }
        Some(endpoint)
    }

    /// Against answers that are no longer true, and against keeping only bad ones while the good are used up.
    fn remove_one(&mut self) {
        let place = if self.oldest_next { self.oldest() } else { self.worst() };
        self.oldest_next = !self.oldest_next;
        self.remove(place);
    }

    fn oldest(&self) -> usize {
        let older =
            |a: usize, b: usize| if self.answers[b].at < self.answers[a].at { b } else { a };
        (1..self.answers.len()).fold(0, older)
    }

    fn worst(&self) -> usize {
        let worse = |a: usize, b: usize| if self.ranks[b] > self.ranks[a] { b } else { a };
        (1..self.ranks.len()).fold(0, worse)
    }

    fn remove(&mut self, place: usize) {
        self.answers.swap_remove(place);
        self.endpoints.swap_remove(place);
        self.ranks.swap_remove(place);
    }
}

/// How often an answer may be used, on average: 1 at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uses(f64);

impl Uses {
    /// A whole number, at random so that the mean is right.
    pub(super) fn draw(self, random: &mut SplitMix64) -> u32 {
        // Without a limit this is the largest number there is.
        let whole = self.0 as u32;
        let part = ((self.0 - f64::from(whole)) * 1e9) as u64;
        whole.saturating_add(u32::from(random.below(1_000_000_000) < part))
    }
}

#[cfg(test)]
mod tests;
