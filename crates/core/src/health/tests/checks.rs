//! What health checks say.

use super::*;
use crate::plan::InitialHealth;

#[test]
fn one_that_begins_unhealthy_serves_after_its_first_passed_check() {
    let careful = plan::Health { initial: InitialHealth::Unhealthy, ..plan() };
    let new = || Health::new(&careful, Duty::Serving, Moment(0), Arc::default());
    let health = new();
    assert!(!health.available(second(1)));
    assert_eq!(health.check_passed(second(1)).unwrap().to, State::Healthy);
    let health = new();
    health.check_failed(second(1), "status 503");
    assert_eq!(health.check_passed(second(2)), None, "from now on `rise` counts");
    assert_eq!(health.check_passed(second(3)).unwrap().to, State::Healthy);
}

#[test]
fn checks_come_faster_while_the_last_one_failed() {
    let health = healthy();
    assert!(!health.is_in_doubt());
    health.check_failed(second(1), "reset");
    assert!(health.is_in_doubt());
    health.check_passed(second(2));
    assert!(!health.is_in_doubt());
    assert!(unhealthy().is_in_doubt());
}

#[test]
fn it_is_unhealthy_after_fall_failed_checks_and_healthy_after_rise_passed_ones() {
    let health = healthy();
    assert_eq!(health.check_failed(second(1), "status 503"), None);
    assert_eq!(health.check_failed(second(2), "status 503"), None);
    let down = health.check_failed(second(3), "no answer in 2 s").unwrap();
    assert_eq!((down.from, down.to, down.at), (State::Healthy, State::Unhealthy, second(3)));
    assert_eq!(
        down.cause.to_string(),
        "the health check failed 3 times in a row: no answer in 2 s"
    );
    assert!(!health.available(second(1_000_000)));
    assert_eq!(health.check_passed(second(4)), None);
    assert_eq!(health.check_passed(second(5)).unwrap().to, State::Healthy);
    assert!(health.available(second(5)));
}

#[test]
fn a_passed_check_between_failed_ones_starts_the_count_anew() {
    let health = healthy();
    for n in 0..10 {
        assert_eq!(health.check_failed(second(n), "reset"), None);
        assert_eq!(health.check_failed(second(n), "reset"), None);
        assert_eq!(health.check_passed(second(n)), None);
    }
}

#[test]
fn a_state_that_stays_is_reported_once() {
    let health = unhealthy();
    for n in 0..10 {
        assert_eq!(health.check_failed(second(n), "status 503"), None);
    }
}

#[test]
fn real_requests_do_not_overrule_failed_checks() {
    let health = unhealthy();
    assert_eq!(health.succeeded(second(2)), None);
    assert_eq!(health.connect_failed(second(2)), None);
    assert_eq!(health.state(), State::Unhealthy);
}

#[test]
fn turning_checks_off_frees_an_unhealthy_endpoint() {
    let health = unhealthy();
    health.configure(&plan::Health { http: None, ..plan() }, Duty::Serving, second(9));
    assert_eq!(health.state(), State::Healthy);
    assert_eq!(health.history().last().unwrap().cause, Cause::ChecksEnded);
}
