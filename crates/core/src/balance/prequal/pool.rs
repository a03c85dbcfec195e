//! The pool of probe answers.

use std::cmp::Ordering;
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

/// Answers, the oldest first, at most one of an endpoint.
#[derive(Debug)]
pub(super) struct Pool {
    answers: Vec<Answer>,
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
        let fresh = |answer: &Answer| now.since(answer.at) <= self.age;
        let old = self.answers.iter().position(fresh).unwrap_or(self.answers.len());
        self.answers.drain(..old);
    }

    /// How often an answer may be used among `n` endpoints.
    pub(super) fn uses(&self, n: usize) -> Uses {
        let kept = (1.0 - self.most as f64 / n as f64) * self.probes - f64::from(self.remove);
        // So few endpoints that their answers are replaced before they wear out.
        Uses(if kept > 0.0 { ((1.0 + self.delta) / kept).max(1.0) } else { f64::INFINITY })
    }

    /// Take in an answer; it replaces an older one of the endpoint, or else the oldest of all.
    pub(super) fn add(&mut self, answer: Answer) {
        self.hot.add(answer.burden);
        let same = self.answers.iter().position(|other| other.endpoint == answer.endpoint);
        match same {
            Some(same) => _ = self.answers.remove(same),
            None if self.answers.len() == self.most => _ = self.answers.remove(0),
            None => {}
        }
        self.answers.push(answer);
    }

    /// The best endpoint of those that `allow` lets pass, if there is any; it counts as used.
    pub(super) fn take(&mut self, allow: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (index, answer) in self.answers.iter().enumerate() {
            let better = best.is_none_or(|best| self.compare(answer, &self.answers[best]).is_lt());
            if better && allow(answer.endpoint as usize) {
                best = Some(index);
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
            self.answers.remove(best);
        }
        for _ in 0..self.remove {
            self.remove_one();
        }
        Some(endpoint)
    }

    /// The better answer is less: cold before hot, of cold ones by latency, of hot ones by burden.
    fn compare(&self, a: &Answer, b: &Answer) -> Ordering {
        match (self.hot.is_hot(a.burden), self.hot.is_hot(b.burden)) {
            (false, false) => a.latency.total_cmp(&b.latency),
            (true, true) => a.burden.total_cmp(&b.burden),
            (hot, other) => hot.cmp(&other),
        }
    }

    /// Against answers that are no longer true, and against keeping only bad ones while the good are used up.
    fn remove_one(&mut self) {
        let which = if self.oldest_next {
            0
        } else {
            (1..self.answers.len()).fold(0, |worst, index| {
                let worse = self.compare(&self.answers[index], &self.answers[worst]).is_gt();
                if worse { index } else { worst }
            })
        };
        self.oldest_next = !self.oldest_next;
        if which < self.answers.len() {
            self.answers.remove(which);
        }
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
