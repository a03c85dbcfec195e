//! What policies need to know: only this is kept up to date and asked of the configuration.

use crate::load::Signals;
use crate::plan::BalancePolicy;

/// What a balancing policy needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// What it reads of an endpoint beyond requests in flight and failures.
    pub signals: Signals,
    /// Whether it places requests by a key, so that `balance.hash` has to say which.
    pub key: bool,
}

/// What `policy` needs to know.
pub const fn needs(policy: BalancePolicy) -> Needs {
    use BalancePolicy as P;
    let (signals, key) = match policy {
        P::RoundRobin | P::Random | P::FirstAvailable | P::LeastRequest => (Signals::NONE, false),
        P::PeakEwma => (Signals::PEAK, false),
        P::FastestFree => (Signals::WORKERS, false),
        P::Prequal => (Signals::PEAK.union(Signals::LEVELS).union(Signals::REPORTS), false),
        P::RingHash | P::Maglev | P::Rendezvous => (Signals::NONE, true),
    };
    Needs { signals, key }
}
