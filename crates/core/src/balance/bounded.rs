//! Hashing with bounded load.
//!
//! Of m requests in flight, the one to be placed included, an endpoint of weight w carries at most
//! ⌈bound · m · w / sum of weights⌉; a key whose endpoint is full goes on to the next with room
//! (Mirrokni, Thorup and Zadimoghaddam, *Consistent Hashing with Bounded Loads*, 2016).

use super::candidates::Candidates;
use super::{Pick, Policy};

/// In which order a key prefers the endpoints.
pub(super) trait Preference: Send + Sync + std::fmt::Debug {
    /// The endpoints from the preferred one on; each may come more than once.
    fn walk(&self, hash: u64) -> impl Iterator<Item = usize>;
}

/// The first endpoint of a key's preference that has room. A request without a key goes anywhere, by weight.
#[derive(Debug)]
pub(super) struct Bounded<P> {
    preference: P,
    bound: f64,
}

impl<P> Bounded<P> {
    /// No endpoint carries more than `bound` times its share.
    pub(super) fn new(preference: P, bound: f64) -> Self {
        Self { preference, bound }
    }
}

impl<P: Preference> Policy for Bounded<P> {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let Some(hash) = pick.hash else { return from.draw(pick.random) };
        let room = Room::new(self.bound, from);
        // Where none has room and takes the key: one with room, or else the key's own.
        let (mut spare, mut own) = (None, None);
        for endpoint in self.preference.walk(hash).filter(|&endpoint| from.allow(endpoint)) {
            if room.is_left(from, endpoint) {
                if from.view.takes(endpoint, hash) {
                    return endpoint;
                }
                spare.get_or_insert(endpoint);
            }
            own.get_or_insert(endpoint);
        }
        spare.or(own).unwrap_or_else(|| from.draw(pick.random))
    }
}

/// How much each endpoint may carry at one moment.
pub(super) struct Room {
    /// Requests by weight.
    share: f64,
}

impl Room {
    /// `bound` times the share of all requests in flight.
    pub(super) fn new(bound: f64, from: &Candidates<'_>) -> Self {
        let requests = (from.in_flight() + 1) as f64;
        Self { share: bound * requests / from.view.total_weight() as f64 }
    }

    /// Whether `endpoint` can carry one request more.
    pub(super) fn is_left(&self, from: &Candidates<'_>, endpoint: usize) -> bool {
        let most = (self.share * f64::from(from.view.weight(endpoint))).ceil();
        f64::from(from.endpoints[endpoint].load.in_flight()) + 1.0 <= most
    }
}
