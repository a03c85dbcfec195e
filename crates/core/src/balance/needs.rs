//! What policies need to know: only this is kept up to date and asked of the configuration.

use crate::load::Signals;
use crate::plan::{BalancePolicy, PredictMode, Upstream};

/// What a balancing policy needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// What it reads of an endpoint beyond requests in flight and failures.
    pub signals: Signals,
    /// Whether it places requests by a key, so that `balance.hash` has to say which.
    pub key: bool,
    /// Whether it reads what a request is predicted to cost.
    pub cost: bool,
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
    Needs { signals, key, cost: matches!(policy, P::Prequal) }
}

/// What is read of the endpoints of `upstream`: what its policy needs, and the workers where costs are predicted, since the
/// cost of a request is known where it found one free.
pub(super) fn signals(upstream: &Upstream) -> Signals {
    let signals = needs(upstream.balance.policy).signals;
    match upstream.predict.mode {
        PredictMode::Off => signals,
        PredictMode::Shadow | PredictMode::Auto => signals.union(Signals::WORKERS),
    }
}
