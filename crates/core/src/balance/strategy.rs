//! The registry of balancing policies.

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
use crate::load::Signals;
use crate::plan::{BalancePolicy, Upstream};

/// Makes the policy of an upstream for those of its endpoints that the indices name.
type Build = dyn Fn(&Upstream, &[u32]) -> Arc<dyn Policy> + Send + Sync;

/// What there is to know of a balancing policy: all that is done for some policies only, is done by this.
#[derive(Clone, Copy)]
pub struct Strategy<'a> {
    /// Makes the policy of an upstream for those of its endpoints that the indices name.
    pub build: &'a Build,
    /// What it reads of an endpoint beyond requests in flight and failures: only this is kept up to date.
    pub signals: Signals,
    /// Whether it places requests by a key, so that `balance.hash` has to say which.
    pub hashes: bool,
}

/// The registry: a row for each policy.
pub const fn strategy(policy: BalancePolicy) -> Strategy<'static> {
    use BalancePolicy as P;
    match policy {
        P::RoundRobin => row(&|_, _| Arc::new(RoundRobin::default()), Signals::NONE),
        P::Random => row(&|_, _| Arc::new(Random), Signals::NONE),
        P::FirstAvailable => row(&|_, _| Arc::new(FirstAvailable), Signals::NONE),
        P::LeastRequest => {
            row(&|of, _| Arc::new(LeastCost::new(LeastRequest, of.balance.choices)), Signals::NONE)
        }
        P::PeakEwma => {
            row(&|of, _| Arc::new(LeastCost::new(PeakEwma, of.balance.choices)), Signals::PEAK)
        }
        P::FastestFree => {
            row(&|of, _| Arc::new(FastestFree::new(of.balance.choices)), Signals::WORKERS)
        }
        P::Prequal => row(
            &|of, _| Arc::new(Prequal::new(&of.balance.prequal)),
            Signals::PEAK.union(Signals::LEVELS).union(Signals::REPORTS),
        ),
        P::RingHash => hashing(&|of, members| {
            let ring = Ring::new(&of.endpoints, members);
            Arc::new(Bounded::new(ring, of.balance.load_bound.get()))
        }),
        P::Maglev => hashing(&|of, members| {
            let table = Maglev::new(&of.endpoints, members);
            Arc::new(Bounded::new(table, of.balance.load_bound.get()))
        }),
        P::Rendezvous => {
            hashing(&|of, _| Arc::new(Rendezvous::new(&of.endpoints, of.balance.load_bound.get())))
        }
    }
}

const fn row(build: &Build, signals: Signals) -> Strategy<'_> {
    Strategy { build, signals, hashes: false }
}

/// The row of a policy that places requests by a key, and looks at no more than requests in flight.
const fn hashing(build: &Build) -> Strategy<'_> {
    Strategy { build, signals: Signals::NONE, hashes: true }
}
