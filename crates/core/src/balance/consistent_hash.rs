//! Consistent hashing with bounded load.

use super::ring::Ring;
use super::view::Candidates;
use super::{Pick, Policy};
use crate::plan::Endpoint;

/// The same endpoint for the same key, as long as it does not carry too much.
///
/// Of m requests in flight, the one to be placed included, an endpoint of weight w carries at most
/// ⌈bound · m · w / sum of weights⌉; a key whose endpoint is full goes on to the next
/// with room (Mirrokni, Thorup and Zadimoghaddam, *Consistent Hashing with Bounded
/// Loads*, 2016). A request without a key goes anywhere, by weight.
#[derive(Debug)]
pub(super) struct ConsistentHash {
    ring: Ring,
    bound: f64,
}

impl ConsistentHash {
    /// The ring of `endpoints`, none of which carries more than `bound` times its share.
    pub(super) fn new(endpoints: &[Endpoint], bound: f64) -> Self {
        Self { ring: Ring::new(endpoints), bound }
    }
}

impl Policy for ConsistentHash {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let Some(hash) = pick.hash else { return from.draw(pick.random) };
        let requests = (from.endpoints.total().in_flight() + 1) as f64;
        let share = self.bound * requests / from.view.total_weight() as f64;
        let mut own = None;
        for endpoint in self.ring.walk(hash).filter(|&endpoint| from.allow(endpoint)) {
            let most = (share * f64::from(from.view.weight(endpoint))).ceil();
            if f64::from(from.endpoints[endpoint].load.in_flight()) + 1.0 <= most {
                return endpoint;
            }
            own.get_or_insert(endpoint);
        }
        // Every one is full for an instant, while others finish or begin: stay with the key's own.
        own.unwrap_or_else(|| from.draw(pick.random))
    }
}
