#![allow(clippy::unwrap_used)]

mod checks;
mod ejection;
mod properties;
mod rest;

use std::time::Duration;

use super::tracker::HISTORY;
use super::*;
use crate::plan::testing::number;

fn plan() -> plan::Health {
    testing::health()
}

fn healthy() -> Health {
    Health::new(&plan(), Duty::Serving, Moment(0), Arc::default())
}

const fn second(n: u64) -> Moment {
    Moment(n * 1_000_000_000)
}

fn resting_since(now: Moment) -> Health {
    let health = healthy();
    for _ in 0..3 {
        health.connect_failed(now);
    }
    assert_eq!(health.state(), State::Resting);
    health
}

fn unhealthy() -> Health {
    let health = healthy();
    for _ in 0..3 {
        health.check_failed(second(1), "status 503");
    }
    assert_eq!(health.state(), State::Unhealthy);
    health
}

fn ejected_since(now: Moment) -> Health {
    let health = healthy();
    for _ in 0..5 {
        health.failed(Fault::Gateway, now);
    }
    assert_eq!(health.state(), State::Ejected);
    health
}

#[test]
fn the_operator_s_will_goes_before_everything_and_is_followed_by_a_new_beginning() {
    let health = resting_since(second(1));
    let duty = Duty::Maintenance { reason: "new disk".into() };
    health.configure(&plan(), duty.clone(), second(2));
    assert_eq!(health.state(), State::Maintenance);
    for _ in 0..9 {
        assert_eq!(health.connect_failed(second(3)), None);
        assert_eq!(health.failed(Fault::Gateway, second(3)), None);
        assert_eq!(health.check_failed(second(3), "reset"), None);
        assert_eq!(health.check_passed(second(3)), None);
    }
    assert!(!health.available(second(1_000_000)) && !health.admit(second(1_000_000)));
    health.configure(&plan(), duty, second(4));
    health.configure(&plan(), Duty::Draining, second(5));
    health.configure(&plan(), Duty::Serving, second(6));
    assert!(health.available(second(6)));
    assert_eq!(health.connect_failed(second(6)), None, "older failures are forgotten");
    let causes: Vec<_> = health.history().iter().skip(2).map(|t| t.cause.to_string()).collect();
    let expected = [
        "maintenance: new disk",
        "the operator lets it drain",
        "the operator put it back into service",
    ];
    assert_eq!(causes, expected);
}

#[test]
fn a_caller_that_waits_learns_when_the_endpoint_goes_down() {
    let health = resting_since(second(1));
    assert!(health.is_down());
    assert!(health.admit(second(2)));
    assert!(!health.is_down(), "the trial must not give itself up");
    health.connected(second(2));
    assert!(!health.is_down());
    assert!(unhealthy().is_down());
    assert!(!ejected_since(second(1)).is_down(), "it answers, if badly");
}

#[test]
fn new_settings_leave_the_state_alone() {
    let health = resting_since(second(1));
    health.configure(&plan::Health { fall: number(9), ..plan() }, Duty::Serving, second(1));
    assert_eq!(health.state(), State::Resting);
}

#[test]
fn the_history_tells_the_last_changes_and_is_bounded() {
    let health = healthy();
    assert_eq!(health.history()[0].cause, Cause::Added);
    for n in 0..100 {
        for _ in 0..3 {
            health.check_failed(second(n), "status 500");
        }
        for _ in 0..2 {
            health.check_passed(second(n));
        }
    }
    let history = health.history();
    assert_eq!(history.len(), HISTORY);
    assert_eq!(history.last().unwrap().to, State::Healthy);
    assert_eq!(history.last().unwrap().at, second(99));
}

#[test]
fn every_change_of_availability_is_counted() {
    let peers = Arc::new(Peers::default());
    let health = Health::new(&plan(), Duty::Serving, Moment(0), Arc::clone(&peers));
    for _ in 0..3 {
        health.connect_failed(second(1));
    }
    assert_eq!(peers.changes(), 1);
    assert!(health.admit(second(2)));
    assert_eq!(peers.changes(), 2);
    health.succeeded(second(2));
    assert_eq!(peers.changes(), 3);
}
