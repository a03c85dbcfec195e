//! What comes of the whole in the simulation. Work is counted in workers kept busy: of 32, 32 at most.

use super::limits;
use super::simulation::{Clients, End, Replica, Simulation};
use crate::plan::Priority;
use crate::plan::testing::number;

/// Requests a second that eight replicas of four workers can serve.
const CAPACITY: f64 = 32.0 / 0.0346;

fn eight() -> Vec<Replica> {
    vec![Replica::new(4); 8]
}

/// Half the load for ten seconds, then `load`.
fn rising(load: fn(&mut Simulation)) -> Simulation {
    let mut simulation = Simulation::new(&limits(), eight(), Clients::Open(CAPACITY / 2.0));
    simulation.at(10.0, load);
    simulation
}

#[test]
fn under_overload_the_workers_stay_busy_and_what_is_served_is_served_quickly() {
    for load in [
        |simulation: &mut Simulation| simulation.clients = Clients::Open(CAPACITY * 1.2),
        |simulation: &mut Simulation| simulation.clients = Clients::Open(CAPACITY * 2.0),
    ] {
        let mut simulation = rising(load);
        simulation.run(50.0);
        let unloaded = simulation.quantile(0.5, 0.0, 10.0);
        let work = simulation.work(20.0, 50.0);
        let median = simulation.quantile(0.5, 20.0, 50.0);
        assert!(work > 0.9 * 32.0, "{work} workers are busy");
        assert!(median < 4.0 * unloaded, "the median is {median}, it was {unloaded}");
    }
}

#[test]
fn an_overload_from_the_start_is_found_as_well() {
    let mut simulation = Simulation::new(&limits(), eight(), Clients::Open(CAPACITY * 1.2));
    simulation.run(40.0);
    assert!(simulation.work(10.0, 40.0) > 0.9 * 32.0);
    assert!(simulation.quantile(0.5, 10.0, 40.0) < 0.03);
}

#[test]
fn kinds_that_are_equally_frequent_are_no_harder() {
    let mut simulation = Simulation::new(&limits(), eight(), Clients::Open(130.0));
    simulation.work = [0.004, 0.012, 0.060, 0.400].map(|mean| (mean, 0.25)).to_vec();
    simulation.at(10.0, |simulation| simulation.clients = Clients::Open(323.0));
    simulation.run(60.0);
    assert!(simulation.work(20.0, 60.0) > 0.9 * 32.0);
    assert!(simulation.quantile(0.5, 20.0, 60.0) < 0.1);
}

#[test]
fn a_moderate_load_is_hardly_ever_turned_away() {
    let mut simulation = rising(|simulation| simulation.clients = Clients::Open(CAPACITY * 0.7));
    simulation.run(120.0);
    let shed = simulation.ended(End::Shed, 0.0, 120.0).len() as f64;
    assert!(shed < 0.005 * simulation.requests.len() as f64, "{shed} were shed");
}

#[test]
fn a_closed_loop_is_left_alone() {
    let mut busy = Simulation::new(&limits(), vec![Replica::new(4); 2], Clients::Closed(1000));
    busy.work = vec![(0.0005, 1.0)];
    busy.run(10.0);
    let mut loaded = Simulation::new(&limits(), eight(), Clients::Closed(100));
    loaded.run(40.0);
    for (simulation, until, workers) in [(busy, 10.0, 8.0), (loaded, 40.0, 32.0)] {
        for end in [End::Shed, End::TimedOut, End::Full] {
            assert!(simulation.ended(end, 0.0, until).is_empty(), "{end:?}");
        }
        assert!(simulation.work(until / 2.0, until) > 0.97 * workers);
    }
}

#[test]
fn an_upstream_that_becomes_slower_is_not_taken_for_one_that_queues() {
    let mut simulation =
        Simulation::new(&limits(), vec![Replica::new(100_000)], Clients::Open(1000.0));
    simulation.at(20.0, |simulation| simulation.replicas[0].slowness = 5.0);
    simulation.run(60.0);
    assert_eq!(simulation.gate.limit(), None);
    assert!(simulation.ended(End::Shed, 0.0, 60.0).is_empty());
}

#[test]
fn capacity_that_halves_is_used_and_so_is_that_which_returns() {
    let mut simulation = Simulation::new(&limits(), eight(), Clients::Open(CAPACITY * 0.9));
    let workers = |count: usize| {
        move |simulation: &mut Simulation| {
            simulation.replicas.iter_mut().for_each(|replica| replica.workers = count);
        }
    };
    simulation.at(20.0, workers(2));
    simulation.at(50.0, workers(4));
    simulation.run(80.0);
    assert!(simulation.work(30.0, 50.0) > 0.9 * 16.0);
    assert!(simulation.work(60.0, 80.0) > 0.8 * 32.0);
}

#[test]
fn slow_replicas_count_as_what_they_are() {
    let mut simulation = Simulation::new(&limits(), eight(), Clients::Open(CAPACITY * 1.1));
    simulation.replicas[..2].iter_mut().for_each(|replica| replica.slowness = 10.0);
    simulation.run(60.0);
    assert!(simulation.work(20.0, 60.0) > 0.85 * (24.0 + 0.8));
    assert!(simulation.quantile(0.5, 20.0, 60.0) < 0.04);
}

#[test]
fn when_the_load_stops_no_request_is_left_behind_and_the_limit_goes() {
    let mut simulation = rising(|simulation| simulation.clients = Clients::Open(CAPACITY * 2.0));
    simulation.at(20.0, |simulation| simulation.clients = Clients::Open(0.0));
    simulation.at(25.0, |simulation| simulation.resume(CAPACITY * 0.3));
    simulation.run(60.0);
    let ended = simulation.requests.iter().filter(|request| request.end.is_some()).count();
    assert!(simulation.requests.len() - ended <= simulation.gate.inside() as usize);
    assert_eq!((simulation.gate.waiting(), simulation.gate.limit()), (0, None));
}

#[test]
fn lower_classes_are_shed_first() {
    let mut simulation = rising(|simulation| simulation.clients = Clients::Open(CAPACITY * 1.5));
    simulation.classes = [0.2, 0.4, 0.4];
    simulation.run(50.0);
    let shed = |class: Priority| {
        let of_class = |end| {
            let ended = simulation.ended(end, 20.0, 50.0);
            ended.iter().filter(|request| request.class == class).count() as f64
        };
        of_class(End::Shed) / (of_class(End::Shed) + of_class(End::Served))
    };
    assert!(shed(Priority::High) < 0.01, "{}", shed(Priority::High));
    assert!(shed(Priority::Normal) < 0.1, "{}", shed(Priority::Normal));
    assert!(shed(Priority::Low) > 0.6, "{}", shed(Priority::Low));
}

#[test]
fn a_fixed_limit_is_never_exceeded_and_a_burst_waits() {
    let mut limits = limits();
    limits.requests = Some(number(20));
    let mut simulation = Simulation::new(&limits, eight(), Clients::Closed(60));
    simulation.work = vec![(0.010, 1.0)];
    simulation.run(5.0);
    assert_eq!(simulation.most_inside, 20);
    assert!(simulation.ended(End::Shed, 0.0, 5.0).is_empty());
}
