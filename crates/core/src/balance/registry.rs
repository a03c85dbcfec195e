//! The registry of balancing policies: how each is made.

use std::sync::Arc;

use super::Policy;
use super::bounded::Bounded;
use super::fastest_free::FastestFree;
use super::first_available::FirstAvailable;
use super::least_cost::LeastCost;
use super::least_request::LeastRequest;
use super::maglev::Maglev;
use super::peak_ewma::PeakEwma;
use super::prequal::Prequal;
use super::random::Random;
use super::rendezvous::Rendezvous;
use super::ring_hash::Ring;
use super::round_robin::RoundRobin;
use crate::plan::{BalancePolicy, Upstream};

/// The policy that `upstream` names, for those of its endpoints that the indices name.
pub(super) fn build(upstream: &Upstream, members: &[u32]) -> Arc<dyn Policy> {
    use BalancePolicy as P;
    let balance = &upstream.balance;
    match balance.policy {
        P::RoundRobin => Arc::new(RoundRobin::default()),
        P::Random => Arc::new(Random),
        P::FirstAvailable => Arc::new(FirstAvailable),
        P::LeastRequest => Arc::new(LeastCost::new(LeastRequest, balance.choices)),
        P::PeakEwma => Arc::new(LeastCost::new(PeakEwma, balance.choices)),
        P::FastestFree => Arc::new(FastestFree::new(balance.choices)),
        P::Prequal => Arc::new(Prequal::new(&balance.prequal)),
        P::RingHash => {
            let ring = Ring::new(&upstream.endpoints, members);
            Arc::new(Bounded::new(ring, balance.load_bound.get()))
        }
        P::Maglev => {
            let table = Maglev::new(&upstream.endpoints, members);
            Arc::new(Bounded::new(table, balance.load_bound.get()))
        }
        P::Rendezvous => Arc::new(Rendezvous::new(&upstream.endpoints, balance.load_bound.get())),
    }
}
