//! Why a request went to this endpoint and to no other, for people.

use serde::Serialize;

use super::narrow::Outlets;
use super::view::Candidates;
use super::{Balancer, Pick};

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
        let outlook = self.outlook(pick.now);
        let outlets = outlook.of(pick.subset);
        let others = (0..self.endpoints.len()).filter(|&index| picked != Some(index));
        let listed = picked.into_iter().chain(others).take(MOST_LISTED);
        listed.map(|index| self.candidate(index, outlets, pick, picked)).collect()
    }

    fn candidate(
        &self,
        index: usize,
        outlets: &Outlets,
        pick: &Pick<'_>,
        picked: Option<usize>,
    ) -> Candidate {
        let endpoint = &self.endpoints[index];
        let load = &endpoint.load;
        let cost = outlets.holding(index).and_then(|outlet| {
            let (view, limit) = (&outlet.view, self.limit);
            let from = Candidates { endpoints: &self.endpoints, view, avoid: &[], limit };
            outlet.policy.cost(&from, index, pick.now)
        });
        Candidate {
            endpoint: endpoint.address.clone(),
            picked: picked == Some(index),
            state: endpoint.health.state().label(),
            weight: self.effective_weight(index, pick.now),
            in_flight: load.in_flight(),
            latency_ms: load.latency().map(|latency| latency.as_secs_f64() * 1000.0),
            failing: load.failing(pick.now),
            cost: cost.filter(|cost| cost.is_finite()),
            passed_over: self
                .passed_over(index, outlets, pick, picked)
                .filter(|_| picked != Some(index)),
        }
    }

    /// Why `index` could not be picked where `picked` was.
    fn passed_over(
        &self,
        index: usize,
        outlets: &Outlets,
        pick: &Pick<'_>,
        picked: Option<usize>,
    ) -> Option<&'static str> {
        let endpoint = &self.endpoints[index];
        let state = endpoint.health.state();
        let outlet = outlets.holding(index);
        let in_turn = picked.and_then(|picked| outlets.holding(picked)).or(outlet);
        if !state.is_in_service() {
            Some(state.label())
        } else if endpoint.weight() == 0 {
            Some("its weight is 0")
        } else if outlet.is_none() && !endpoint.health.available(pick.now) {
            Some(state.label())
        } else if pick.tried.contains(&index) {
            Some("it was tried before")
        } else if endpoint.load.in_flight() >= self.limit {
            Some("it has all the requests it may have")
        } else if !outlet.zip(in_turn).is_some_and(|(a, b)| std::ptr::eq(a, b)) {
            Some("its labels, priority or zone are not in turn")
        } else {
            None
        }
    }
}
