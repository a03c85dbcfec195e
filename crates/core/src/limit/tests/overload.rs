use super::simulation::{Clients, End, Replica, Simulation};
use crate::plan::{AdaptiveLimit, Millis, Queueing, UpstreamLimits};

pub(super) fn limits() -> UpstreamLimits {
    UpstreamLimits {
        requests: None,
        endpoint_requests: None,
        pending: 10_000,
        retries: None,
        connections: None,
        queue: Queueing { timeout: Millis(5_000), target: Millis(100), interval: Millis(500) },
        adaptive: AdaptiveLimit { enabled: true, minimum: 4, maximum: None },
    }
}

fn show(name: &str, sim: &Simulation, until: usize) {
    println!("== {name}");
    for second in (0..until).step_by(5) {
        let (a, b) = (second as f64, second as f64 + 5.0);
        println!(
            "{second:4} served {:6.0}/s shed {:6.0}/s out {:5.0}/s full {:5.0}/s p50 {:7.1} p90 {:7.1} p99 {:7.1}",
            sim.ended(End::Served, a, b).len() as f64 / 5.0,
            sim.ended(End::Shed, a, b).len() as f64 / 5.0,
            sim.ended(End::TimedOut, a, b).len() as f64 / 5.0,
            sim.ended(End::Full, a, b).len() as f64 / 5.0,
            sim.quantile(0.5, a, b) * 1e3,
            sim.quantile(0.9, a, b) * 1e3,
            sim.quantile(0.99, a, b) * 1e3,
        );
    }
}

#[test]
fn explore() {
    let eight = || vec![Replica::new(4); 8];
    let capacity = 32.0 / 0.0346;
    for load in [0.8, 1.2, 2.0] {
        let mut sim = Simulation::new(&limits(), eight(), Clients::Open(capacity * 0.5));
        match load {
            0.8 => sim.at(10.0, |s| s.clients = Clients::Open(32.0 / 0.0346 * 0.8)),
            1.2 => sim.at(10.0, |s| s.clients = Clients::Open(32.0 / 0.0346 * 1.2)),
            _ => sim.at(10.0, |s| s.clients = Clients::Open(32.0 / 0.0346 * 2.0)),
        }
        sim.run(60.0);
        show(
            &format!("load {load}, capacity {capacity:.0}, limit {:?}", sim.gate.limit()),
            &sim,
            60,
        );
    }
    let mut sim = Simulation::new(&limits(), eight(), Clients::Open(capacity * 1.2));
    sim.run(60.0);
    show(&format!("cold at 1.2, limit {:?}", sim.gate.limit()), &sim, 60);

    let mut sim = Simulation::new(&limits(), eight(), Clients::Open(capacity * 0.9));
    sim.at(20.0, |s| s.replicas.iter_mut().for_each(|r| r.slowness = 2.0));
    sim.at(40.0, |s| s.replicas.iter_mut().for_each(|r| r.slowness = 1.0));
    sim.run(70.0);
    show(&format!("0.9, everything slower 20-40, limit {:?}", sim.gate.limit()), &sim, 70);

    let mut sim = Simulation::new(&limits(), eight(), Clients::Open(capacity * 0.9));
    sim.at(20.0, |s| s.replicas.iter_mut().for_each(|r| r.workers = 2));
    sim.at(40.0, |s| s.replicas.iter_mut().for_each(|r| r.workers = 4));
    sim.run(70.0);
    show(&format!("0.9, half the workers 20-40, limit {:?}", sim.gate.limit()), &sim, 70);

    let mut sim = Simulation::new(&limits(), vec![Replica::new(100_000)], Clients::Open(1000.0));
    sim.at(20.0, |s| s.replicas.iter_mut().for_each(|r| r.slowness = 5.0));
    sim.run(60.0);
    show(
        &format!("no workers' limit, 5 times slower from 20, limit {:?}", sim.gate.limit()),
        &sim,
        60,
    );

    let mut sim = Simulation::new(&limits(), eight(), Clients::Open(capacity * 1.1));
    sim.at(0.0, |s| s.replicas[..2].iter_mut().for_each(|r| r.slowness = 10.0));
    sim.run(60.0);
    show(
        &format!(
            "two slow replicas, capacity {:.0} limit {:?}",
            capacity * 6.2 / 8.0,
            sim.gate.limit()
        ),
        &sim,
        60,
    );

    let mut sim = Simulation::new(&limits(), vec![Replica::new(4); 2], Clients::Closed(1000));
    sim.work = vec![(0.0005, 1.0)];
    sim.run(20.0);
    show(&format!("closed 1000, 16k/s limit {:?}", sim.gate.limit()), &sim, 20);

    let mut sim = Simulation::new(&limits(), eight(), Clients::Closed(100));
    sim.run(40.0);
    show(&format!("closed 100, limit {:?}", sim.gate.limit()), &sim, 40);
}
