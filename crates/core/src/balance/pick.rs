//! The request that needs an endpoint, and why it may get none.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::SplitMix64;
use crate::time::Moment;

/// What is known of the request that needs an endpoint.
#[derive(Debug)]
pub struct Pick<'a> {
    /// Now.
    pub now: Moment,
    /// The caller's random numbers; one source per worker.
    pub random: &'a mut SplitMix64,
    /// The request's [`hash_key`], where the upstream hashes and the request has what is hashed.
    pub hash: Option<u64>,
    /// The labels that the request's route asks for, by their place in
    /// [`Surroundings::subsets`](super::Surroundings::subsets).
    pub subset: Option<usize>,
    /// The endpoints that the request's [sticky](super::Sticky) cookies name: the first of them that can serve it
    /// is taken.
    pub sticky: &'a [usize],
    /// Endpoints that this request was sent to before: avoided while another is left.
    pub tried: &'a [usize],
    /// What it is predicted to cost, where predictions are believed and the policy [reads](super::Needs::cost) them.
    pub cost: Option<Duration>,
}

impl<'a> Pick<'a> {
    /// A request of which nothing else is known.
    pub fn new(now: Moment, random: &'a mut SplitMix64) -> Self {
        Self { now, random, hash: None, subset: None, sticky: &[], tried: &[], cost: None }
    }
}

/// Hash of the header field, cookie, path or address that decides where a request goes (XXH3, 64 bits).
pub fn hash_key(value: &[u8]) -> u64 {
    xxh3_64(value)
}

/// Why no endpoint was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpicked {
    /// There is none that takes requests.
    NoEndpoint,
    /// All have as many requests as they may have.
    AllBusy,
}
