//! A cost like that of C3 (Suresh et al., *C3: Cutting Tail Latency in Cloud Data Stores via Adaptive
//! Replica Selection*, NSDI 2015).

use super::least_cost::Cost;
use super::strength::known_or_guessed;
use crate::load::Load;
use crate::time::Moment;

/// R − 1/µ + q̂³/µ, with q̂ = (1 + in flight · clients + queue) ÷ strength.
///
/// R is the mean response time (here the one that jumps up, and fades so that nobody is forgotten),
/// 1/µ the service time and q̂ the queue that a request will meet; the cube
/// keeps requests away from long queues, even of fast servers. C3's servers tell their service
/// times and queues. Here the service time is the latency at the lowest load seen of late, and
/// the queue what the endpoint reports beyond this gateway's own requests. C3's limit of rates is left out.
#[derive(Debug)]
pub(super) struct C3 {
    /// Gateways that share the endpoints.
    pub(super) clients: u32,
}

impl Cost for C3 {
    fn of(&self, load: &Load, strength: f64, now: Moment) -> f64 {
        let own = f64::from(load.in_flight()) * f64::from(self.clients);
        // A full endpoint counts as one with as many again.
        let others = load.others(now).map_or(own + 1.0, f64::from);
        let queue = (1.0 + own + others) / strength;
        let response = known_or_guessed(load.peak(now), load, now);
        let service = load.unloaded(now).unwrap_or(response);
        response + (queue.powi(3) - 1.0) * service
    }
}
