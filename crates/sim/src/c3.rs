//! A cost like that of C3 (Suresh et al., *C3: Cutting Tail Latency in Cloud Data Stores via Adaptive
//! Replica Selection*, NSDI 2015).

use std::sync::Arc;

use tidegate_core::balance::{
    Balancer, Cost, Endpoints, LeastCost, Policy, Surroundings, known_or_guessed,
};
use tidegate_core::load::{Load, Signals};
use tidegate_core::plan::Upstream;
use tidegate_core::time::Moment;

/// R − 1/µ + q̂³/µ, with q̂ = (1 + in flight · clients + queue) ÷ strength.
///
/// R is the mean response time (here the one that jumps up, and fades so that no endpoint is forgotten),
/// 1/µ the service time and q̂ the queue that a request will meet; the cube
/// keeps requests away from long queues, even of fast servers. C3's servers tell their service
/// times and queues. Here the service time is the latency at the lowest load seen of late, and
/// the queue what the endpoint reports beyond this gateway's own requests. C3's limit of rates is left out.
#[derive(Debug)]
struct C3 {
    /// Gateways that share the endpoints.
    clients: u32,
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

/// A balancer of new endpoints of `upstream` that goes by this cost, where so many `clients` share them.
pub(crate) fn balancer(upstream: &Upstream, clients: u32) -> Balancer {
    let build = move |upstream: &Upstream, _: &[u32]| -> Arc<dyn Policy> {
        Arc::new(LeastCost::new(C3 { clients }, upstream.balance.choices))
    };
    let signals = Signals::PEAK.union(Signals::LEVELS).union(Signals::REPORTS);
    let endpoints = Endpoints::new(upstream, None, Moment(0));
    for endpoint in endpoints.iter() {
        endpoint.load.configure(upstream.balance.decay.duration(), signals, Moment(0));
    }
    Balancer::by(&build, signals, upstream, endpoints, Surroundings::default())
}
