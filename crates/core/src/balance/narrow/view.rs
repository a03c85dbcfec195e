//! Which endpoints of a group may be picked at the moment.
//!
//! Reading the state of ten thousand endpoints for each request would cost more than the request. So
//! a view of them is made once and used by all workers until something changes.

use std::sync::Arc;

use smallvec::SmallVec;

use super::in_flight::InFlight;
use super::{Group, Standing};
use crate::balance::{Endpoints, Policy, SplitMix64, hash_key};

/// All views of one kind of request, the preferred ones first. Cheap to clone.
pub(super) type Views = SmallVec<[Arc<View>; 1]>;

/// All shares together, as [`View`]s count them.
const WHOLE: f64 = (1u64 << 32) as f64;

/// The endpoints of a group that may be picked, as found at one moment.
#[derive(Debug)]
pub(in crate::balance) struct View {
    /// Chooses among them.
    pub(in crate::balance) policy: Arc<dyn Policy>,
    /// Shares of the requests of all views up to and including this one, out of 2³².
    share_bound: u64,
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
    in_flight: Option<InFlight>,
}

/// Views of these groups, which get these shares; a group without a share is for requests that the
/// others cannot serve. With `panic` all open members may be picked, else the available ones.
pub(super) fn views(shares: &[(&Group, f64)], standings: &[Standing], panic: bool) -> Views {
    let all: f64 = shares.iter().map(|(_, share)| share).sum();
    let mut sum = 0.0;
    let view = |&(group, share): &(&Group, f64)| {
        sum += share;
        View::new(group, (sum / all * WHOLE).round() as u64, standings, panic)
    };
    shares.iter().map(view).filter(|view| !view.members.is_empty()).map(Arc::new).collect()
}

impl View {
    fn new(group: &Group, share_bound: u64, standings: &[Standing], panic: bool) -> Self {
        let members = &group.members;
        let mut view = Self {
            policy: Arc::clone(&group.policy),
            share_bound,
            members: Vec::with_capacity(members.len()),
            sums: Vec::with_capacity(members.len()),
            weights: vec![0; standings.len()],
            growing: Vec::new(),
            panic,
            trials: false,
            in_flight: (members.len() < standings.len()).then(InFlight::default),
        };
        let mut sum = 0;
        let standing = |index: u32| standings[index as usize];
        let eligible = |index| match panic {
            true => standing(index).open,
            false => standing(index).available,
        };
        for &index in members.iter().filter(|&&index| eligible(index)) {
            sum += u64::from(standing(index).weight);
            view.members.push(index);
            view.sums.push(sum);
            view.weights[index as usize] = standing(index).weight;
            view.trials |= standing(index).trial;
        }
        let readiness = |&index: &u32| standing(index).readiness;
        // Where all grow alike, each takes its keys at once.
        let most = view.members.iter().map(readiness).fold(0.0, f32::max);
        let growing = view.members.iter().map(|index| (*index, readiness(index) / most));
        view.growing = growing.filter(|&(_, part)| part < 1.0).collect();
        view
    }

    /// Whether it gets a request, of which `point` was drawn and those before did not take it.
    pub(super) fn takes_share(&self, point: u64) -> bool {
        point >> 32 < self.share_bound
    }

    /// Whether members include endpoints that are not available, because too little else is.
    pub(in crate::balance) fn is_panic(&self) -> bool {
        self.panic
    }

    /// Whether some members take one request only.
    pub(in crate::balance) fn has_trials(&self) -> bool {
        self.trials
    }

    /// The endpoints that may be picked, ascending.
    pub(in crate::balance) fn members(&self) -> &[u32] {
        &self.members
    }

    /// Whether `endpoint` may be picked.
    pub(in crate::balance) fn has(&self, endpoint: usize) -> bool {
        self.weights[endpoint] > 0
    }

    /// The weight of `endpoint` beside the others'; 0 if it may not be picked.
    pub(in crate::balance) fn weight(&self, endpoint: usize) -> u32 {
        self.weights[endpoint]
    }

    /// The weights of all members together.
    pub(in crate::balance) fn total_weight(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// Whether `endpoint` takes the key of `hash`, which is its own: while its weight grows, it takes more
    /// and more of its keys.
    pub(in crate::balance) fn takes(&self, endpoint: usize, hash: u64) -> bool {
        let place = |&(index, _): &(u32, f32)| index;
        let Ok(at) = self.growing.binary_search_by_key(&(endpoint as u32), place) else {
            return true;
        };
        let own = hash ^ hash_key(&endpoint.to_le_bytes());
        SplitMix64::new(own).fraction() < f64::from(self.growing[at].1)
    }

    /// A member at random, by weight.
    pub(in crate::balance) fn draw(&self, random: &mut SplitMix64) -> usize {
        let point = random.below(self.total_weight());
        self.members[self.sums.partition_point(|&sum| sum <= point)] as usize
    }

    /// Requests in flight that the members share; `endpoints` are all of the upstream.
    pub(in crate::balance) fn in_flight(&self, endpoints: &Endpoints) -> u64 {
        match &self.in_flight {
            None => endpoints.total().in_flight(),
            Some(sum) => sum.of(&self.members, endpoints),
        }
    }

    /// Whether `avoid` leaves no member.
    pub(super) fn avoids_all(&self, avoid: &[usize]) -> bool {
        avoid.len() >= self.members.len()
            && self.members.iter().all(|&member| avoid.contains(&(member as usize)))
    }
}
