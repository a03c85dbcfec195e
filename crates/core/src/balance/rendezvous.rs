//! Rendezvous hashing.

use super::bounded::Room;
use super::candidates::Candidates;
use super::{Pick, Policy, SplitMix64, hash_key};
use crate::plan::Endpoint;

/// The endpoint with the key's highest score (Thaler and Ravishankar, *Using Name-Based Mappings to
/// Increase Hit Rates*, IEEE/ACM ToN 6 (1), 1998), weighted (Schindelhauer and Schomaker, *Weighted
/// Distributed Hash Tables*, SPAA 2005), with bounded load.
///
/// Shares follow the weights exactly, and a change moves no keys but those it must. The price is that each key
/// is scored with each endpoint, so a pick costs O(n). (Trees over the endpoints make it O(log n), but what a
/// change moves then depends on the others of its branch: that is what a ring or a table does at less cost.)
#[derive(Debug)]
pub(super) struct Rendezvous {
    /// By endpoint: what makes its scores its own.
    seeds: Vec<u64>,
    bound: f64,
}

impl Rendezvous {
    /// Scores for `endpoints`, none of which carries more than `bound` times its share.
    pub(super) fn new(endpoints: &[Endpoint], bound: f64) -> Self {
        let seed = |endpoint: &Endpoint| hash_key(endpoint.address.as_bytes());
        Self { seeds: endpoints.iter().map(seed).collect(), bound }
    }

    /// An exponential variate of the rate `weight`, if it is less than `least`: the least of several is that of one
    /// endpoint with the probability of its share of the weights.
    fn delay_below(&self, least: f64, hash: u64, endpoint: usize, weight: u32) -> Option<f64> {
        let uniform = SplitMix64::new(hash ^ self.seeds[endpoint]).fraction();
        let weight = f64::from(weight);
        // −ln u ≥ 1 − u, so that few endpoints cost a logarithm.
        if 1.0 - uniform >= least * weight {
            return None;
        }
        Some(-uniform.ln() / weight).filter(|delay| *delay < least)
    }
}

impl Policy for Rendezvous {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let Some(hash) = pick.hash else { return from.draw(pick.random) };
        let room = Room::new(self.bound, from);
        let (mut best, mut least) = (None, f64::INFINITY);
        let (mut own, mut own_least) = (None, f64::INFINITY);
        for &member in from.view.members() {
            let endpoint = member as usize;
            let weight = from.view.weight(endpoint);
            let Some(delay) = self.delay_below(least, hash, endpoint, weight) else { continue };
            if from.allow(endpoint) {
                if room.is_left(from, endpoint) {
                    (best, least) = (Some(endpoint), delay);
                } else if delay < own_least {
                    (own, own_least) = (Some(endpoint), delay);
                }
            }
        }
        best.or(own).unwrap_or_else(|| from.draw(pick.random))
    }
}
