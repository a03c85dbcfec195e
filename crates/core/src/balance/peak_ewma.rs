//! Peak EWMA.

use super::least_cost::Cost;
use super::strength::known_or_guessed;
use crate::load::Load;
use crate::time::Moment;

/// Mean latency × (requests in flight + 1) ÷ strength: how long it would take until the endpoint has done all
/// that it was given. The mean jumps up with any slower answer and comes down slowly (Finagle).
#[derive(Debug)]
pub(super) struct PeakEwma;

impl Cost for PeakEwma {
    fn of(&self, load: &Load, strength: f64, now: Moment) -> f64 {
        let latency = known_or_guessed(load.peak(now), load, now);
        latency * (f64::from(load.in_flight()) + 1.0) / strength
    }
}
