//! Why a request went to this endpoint and to no other, for people.

use std::sync::Arc;

use serde::Serialize;

use super::narrow::{Outlook, View};
use super::{Balancer, Candidates, Pick};

/// How many candidates are listed at most.
pub const MOST_LISTED: usize = 16;

/// An endpoint as it stood when one was picked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Its address.
    pub endpoint: String,
    /// Whether it is the one that was picked.
    pub picked: bool,
    /// `healthy`, `resting`, `ejected`, `unhealthy`, `draining` or `maintenance`.
    pub state: &'static str,
    /// Its weight, smaller than configured while it starts slowly; 0 while it gets no requests.
    pub weight: f64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests that it works on at a time; absent where it is not known or any number.
    pub workers: Option<u32>,
    /// How much longer than at the others requests take there; absent where that is not looked at.
    pub pace: Option<f32>,
    /// Mean latency of late, in milliseconds; absent before the first answer.
    pub latency_ms: Option<f64>,
    /// The share of its requests that failed of late.
    pub failing: f64,
    /// What the policy compares, the lowest wins; absent where it chooses otherwise.
    pub cost: Option<f64>,
    /// Why it could not be picked; absent where it could.
    pub passed_over: Option<&'static str>,
}

impl Balancer {
    /// How the endpoints stand for `pick`, which came to `picked`: that one, and others in the plan's order, up
    /// to [`MOST_LISTED`] together.
    pub fn explain(&self, pick: &Pick<'_>, picked: Option<usize>) -> Vec<Candidate> {
        let made = Made { balancer: self, outlook: &self.outlook(), pick, picked };
        let others = (0..self.endpoints().len()).filter(|&index| picked != Some(index));
        let listed = picked.into_iter().chain(others).take(MOST_LISTED);
        listed.map(|index| made.candidate(index)).collect()
    }

    /// Whether `picked` was picked for `pick` in panic mode, well or not.
    pub fn was_panic(&self, pick: &Pick<'_>, picked: usize) -> bool {
        self.outlook().holding(pick.subset, picked).is_some_and(|view| view.is_panic())
    }
}

/// A pick that was made, and what it was made from.
struct Made<'a> {
    balancer: &'a Balancer,
    outlook: &'a Outlook,
    pick: &'a Pick<'a>,
    picked: Option<usize>,
}

impl Made<'_> {
    fn candidate(&self, index: usize) -> Candidate {
        let (endpoint, now) = (&self.balancer.endpoints()[index], self.pick.now);
        let (load, foreseen) = (&endpoint.load, endpoint.load.foreseen());
        let picked = self.picked == Some(index);
        Candidate {
            endpoint: endpoint.address.clone(),
            picked,
            state: endpoint.health.state().label(),
            weight: self.balancer.effective_weight(index, now),
            in_flight: load.in_flight(),
            workers: foreseen.workers,
            pace: foreseen.pace,
            latency_ms: load.latency().map(|latency| latency.as_secs_f64() * 1000.0),
            failing: load.failing(now),
            cost: self.cost(index),
            passed_over: if picked { None } else { self.passed_over(index) },
        }
    }

    /// What `index` costs by the policy that it belongs to.
    fn cost(&self, index: usize) -> Option<f64> {
        let view = self.view(index)?;
        let from = Candidates::new(self.balancer.endpoints(), view, &[]);
        view.policy.cost(&from, index, self.pick.now).filter(|cost| cost.is_finite())
    }

    /// The view that `index` would have been picked from.
    fn view(&self, index: usize) -> Option<&Arc<View>> {
        self.outlook.holding(self.pick.subset, index)
    }

    /// Why `index`, which was not picked, could not be.
    fn passed_over(&self, index: usize) -> Option<&'static str> {
        let endpoint = &self.balancer.endpoints()[index];
        let state = endpoint.health.state();
        let view = self.view(index);
        let in_turn = self.picked.and_then(|picked| self.view(picked)).or(view);
        let is_full = |view| Candidates::new(self.balancer.endpoints(), view, &[]).is_full(index);
        if !state.is_in_service() {
            Some(state.label())
        } else if endpoint.weight() == 0 {
            Some("its weight is 0")
        } else if view.is_none() && !endpoint.health.available(self.pick.now) {
            Some(state.label())
        } else if self.pick.tried.contains(&index) {
            Some("it was tried before")
        } else if view.is_some_and(is_full) {
            Some("it has all the requests it may have")
        } else if !view.zip(in_turn).is_some_and(|(own, other)| Arc::ptr_eq(own, other)) {
            Some("its labels, priority or zone are not in turn")
        } else {
            None
        }
    }
}
