#![allow(clippy::unwrap_used)]

use super::*;
use crate::plan::{HealthHttp, Millis, PassiveHealth};

fn plan() -> plan::Health {
    plan::Health {
        http: Some(HealthHttp { path: "/healthz".into(), host: None, statuses: vec![] }),
        interval: Millis(5_000),
        timeout: Millis(2_000),
        rise: 2,
        fall: 3,
        passive: PassiveHealth { failures: 3, rest: Millis(1_000), max_rest: Millis(5_000) },
    }
}

fn healthy() -> Health {
    Health::new(&plan(), Moment(0), Arc::default())
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

#[test]
fn it_rests_after_the_set_number_of_connect_failures_in_a_row() {
    let health = healthy();
    assert_eq!(health.connect_failed(second(1)), None);
    assert_eq!(health.connect_failed(second(1)), None);
    let transition = health.connect_failed(second(1)).unwrap();
    assert_eq!((transition.from, transition.to), (State::Healthy, State::Resting));
    assert_eq!(transition.cause.to_string(), "connecting failed 3 times in a row; rests for 1s");
    assert!(!health.available(second(1)));
    assert!(health.available(second(2)));
}

#[test]
fn a_success_between_failures_starts_the_count_anew() {
    let health = healthy();
    for _ in 0..5 {
        assert_eq!(health.connect_failed(second(1)), None);
        assert_eq!(health.connect_failed(second(1)), None);
        assert_eq!(health.succeeded(second(1)), None);
    }
}

#[test]
fn after_a_rest_exactly_one_request_is_the_trial() {
    let health = resting_since(second(1));
    assert!(!health.admit(second(1)));
    let admitted = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| health.admit(second(2)))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .filter(|&admitted| admitted)
            .count()
    });
    assert_eq!(admitted, 1);
}

#[test]
fn a_trial_without_an_answer_is_followed_by_another_one_rest_later() {
    let health = resting_since(second(1));
    assert!(health.admit(second(2)));
    assert!(!health.admit(second(2)));
    assert!(health.admit(second(3)));
}

#[test]
fn each_failed_trial_doubles_the_rest_up_to_the_longest() {
    let health = resting_since(second(0));
    let mut now = second(0);
    for rest in [1, 2, 4, 5, 5] {
        let end = now.after(Duration::from_secs(rest));
        assert!(!health.available(Moment(end.0 - 1)), "rest of {rest} s");
        assert!(health.admit(end), "rest of {rest} s");
        health.connect_failed(end).unwrap();
        now = end;
    }
}

#[test]
fn late_failures_of_older_requests_do_not_lengthen_a_rest() {
    let health = resting_since(second(1));
    for _ in 0..50 {
        assert_eq!(health.connect_failed(second(1)), None);
    }
    assert!(health.available(second(2)));
}

#[test]
fn a_successful_trial_makes_it_healthy_and_the_next_rest_short_again() {
    let health = resting_since(second(0));
    assert!(health.admit(second(1)));
    health.connect_failed(second(1)).unwrap();
    assert!(health.admit(second(3)));
    assert_eq!(health.succeeded(second(3)).unwrap().to, State::Healthy);
    for _ in 0..3 {
        health.connect_failed(second(3));
    }
    assert!(health.available(second(4)));
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
fn checks_passed_since_the_rest_began_end_it() {
    let health = healthy();
    for _ in 0..9 {
        health.check_passed(second(1));
    }
    for _ in 0..3 {
        health.connect_failed(second(1));
    }
    assert_eq!(health.check_passed(second(1)), None);
    assert_eq!(health.check_passed(second(1)).unwrap().to, State::Healthy);
}

#[test]
fn turning_checks_off_frees_an_unhealthy_endpoint() {
    let health = unhealthy();
    health.configure(&plan::Health { http: None, ..plan() }, second(9));
    assert_eq!(health.state(), State::Healthy);
    assert_eq!(health.history().last().unwrap().cause, Cause::ChecksEnded);
}

#[test]
fn new_settings_leave_the_state_alone() {
    let health = resting_since(second(1));
    health.configure(&plan::Health { fall: 9, ..plan() }, second(1));
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
    let changes = Arc::new(Changes::default());
    let health = Health::new(&plan(), Moment(0), Arc::clone(&changes));
    for _ in 0..3 {
        health.connect_failed(second(1));
    }
    assert_eq!(changes.count(), 1);
    assert!(health.admit(second(2)));
    assert_eq!(changes.count(), 2);
    health.succeeded(second(2));
    assert_eq!(changes.count(), 3);
}
