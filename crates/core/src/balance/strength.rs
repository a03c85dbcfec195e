//! What an endpoint is worth to policies that look at load.

use super::candidates::Candidates;
use crate::load::Load;
use crate::time::Moment;

/// Stands for a latency that is not known, in seconds: more than any that was measured.
const UNKNOWN: f64 = 1e6;

/// The weight of `endpoint`, less what it lost by failing; above 0 for every candidate.
///
/// An endpoint that answers a share s of its requests well has to be asked 1/s times for one good
/// answer, so at weight · s it is as attractive as one that works. The square puts it behind: each
/// failure also has to be made good elsewhere. Failing fast buys nothing, since where nothing is in flight
/// the cost still grows without bound as s falls.
pub(super) fn strength(from: &Candidates<'_>, endpoint: usize, now: Moment) -> f64 {
    let good = 1.0 - from.endpoints[endpoint].load.failing(now);
    f64::from(from.view.weight(endpoint)) * good * good
}

/// `latency`, or what stands for it before the first answer (as in Finagle): an endpoint that is unknown
/// and idle is tried at once, and by one request only until that is answered. One that only ever
/// failed waits until this is forgotten.
pub fn known_or_guessed(latency: Option<f64>, load: &Load, now: Moment) -> f64 {
    match latency {
        Some(latency) => latency,
        None if load.in_flight() == 0 && load.failing(now) == 0.0 => 0.0,
        None => UNKNOWN,
    }
}
