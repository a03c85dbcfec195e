//! Which endpoints of a group may be picked at the moment.
//!
//! Reading the state of ten thousand endpoints for each request would cost more than the request. So
//! a view of them is made once and used by all workers until something changes.

use super::narrow::Standing;
use super::tally::Tally;
use super::{Endpoints, SplitMix64, hash_key};

/// The endpoints of a group that may be picked, as found at one moment.
#[derive(Debug)]
pub(super) struct View {
    /// Indices of the endpoints that may be picked, ascending.
    members: Vec<u32>,
    /// By member: the sum of the weights up to and including its own.
    sums: Vec<u64>,
    /// By endpoint: its weight, 0 if it may not be picked.
    weights: Vec<u32>,
    /// Members whose weight is still growing, and the part of their keys that they take.
    growing: Vec<(u32, f32)>,
    /// Whether members include endpoints that are not available, because too little else is.
    panic: bool,
    /// Whether the rest of some members is over, so that they take one request, their trial.
    trials: bool,
    /// What the members carry, where other endpoints of the upstream may get requests too.
    tally: Option<Tally>,
}

impl View {
    /// What may be picked of `group`: its available members, in `panic` all that are open.
    pub(super) fn new(group: &[u32], standing: &Standing, panic: bool) -> Self {
        let mut view = Self {
            members: Vec::with_capacity(group.len()),
            sums: Vec::with_capacity(group.len()),
            weights: vec![0; standing.endpoints.len()],
            growing: Vec::new(),
            panic,
            trials: false,
            tally: (group.len() < standing.endpoints.len()).then(Tally::default),
        };
        let mut sum = 0;
        let stand = |index: u32| standing.endpoints[index as usize];
        let eligible = |index| if panic { stand(index).open } else { stand(index).available };
        for &index in group.iter().filter(|&&index| eligible(index)) {
            sum += u64::from(stand(index).weight);
            view.members.push(index);
            view.sums.push(sum);
            view.weights[index as usize] = stand(index).weight;
            view.trials |= stand(index).trial;
        }
        let readiness = |&index: &u32| stand(index).readiness;
        // Where all grow alike, each takes its keys at once.
        let most = view.members.iter().map(readiness).fold(0.0, f32::max);
        let growing = view.members.iter().map(|index| (*index, readiness(index) / most));
        view.growing = growing.filter(|&(_, part)| part < 1.0).collect();
        view
    }

    /// Whether no endpoint takes requests.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether members include endpoints that are not available, because too little else is.
    pub(super) fn is_panic(&self) -> bool {
        self.panic
    }

    /// Whether some members take one request only.
    pub(super) fn has_trials(&self) -> bool {
        self.trials
    }

    /// The endpoints that may be picked, ascending.
    pub(super) fn members(&self) -> &[u32] {
        &self.members
    }

    /// Whether `endpoint` may be picked.
    pub(super) fn has(&self, endpoint: usize) -> bool {
        self.weights[endpoint] > 0
    }

    /// The weight of `endpoint` beside the others'; 0 if it may not be picked.
    pub(super) fn weight(&self, endpoint: usize) -> u32 {
        self.weights[endpoint]
    }

    /// The weights of all members together.
    pub(super) fn total_weight(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// Whether `endpoint` takes the key of `hash`, which is its own: while its weight grows, it takes more
    /// and more of its keys.
    pub(super) fn takes(&self, endpoint: usize, hash: u64) -> bool {
        let place = |&(index, _): &(u32, f32)| index;
        let Ok(at) = self.growing.binary_search_by_key(&(endpoint as u32), place) else {
            return true;
        };
        let own = hash ^ hash_key(&endpoint.to_le_bytes());
        SplitMix64::new(own).fraction() < f64::from(self.growing[at].1)
    }

    /// A member at random, by weight.
    pub(super) fn draw(&self, random: &mut SplitMix64) -> usize {
        let point = random.below(self.total_weight());
        self.members[self.sums.partition_point(|&sum| sum <= point)] as usize
    }

    /// Requests in flight that the members share; `endpoints` are all of the upstream.
    pub(super) fn in_flight(&self, endpoints: &Endpoints) -> u64 {
        match &self.tally {
            None => endpoints.total().in_flight(),
            Some(tally) => tally.of(&self.members, endpoints),
        }
    }

    /// Whether `avoid` leaves no member.
    pub(super) fn avoids_all(&self, avoid: &[usize]) -> bool {
        avoid.len() >= self.members.len()
            && self.members.iter().all(|&member| avoid.contains(&(member as usize)))
    }
}
