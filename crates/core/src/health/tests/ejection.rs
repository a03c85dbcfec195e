//! Endpoints that answer badly.

use super::*;
use crate::plan::testing::number;

#[test]
fn it_is_ejected_after_the_set_number_of_gateway_errors_in_a_row() {
    let health = healthy();
    for _ in 0..4 {
        assert_eq!(health.failed(Fault::Gateway, second(1)), None);
    }
    assert_eq!(health.succeeded(second(1)), None);
    for _ in 0..4 {
        assert_eq!(health.failed(Fault::Gateway, second(1)), None);
    }
    let transition = health.failed(Fault::Gateway, second(1)).unwrap();
    assert_eq!(transition.cause.to_string(), "requests failed 5 times in a row; ejected for 10s");
    assert!(!health.available(second(10)));
    assert!(health.available(second(11)));
}

#[test]
fn a_broken_connection_among_bad_answers_counts_as_one() {
    let health = healthy();
    for fault in [Fault::Gateway, Fault::Broken, Fault::Broken, Fault::Broken] {
        assert_eq!(health.failed(fault, second(1)), None);
    }
    assert_eq!(health.failed(Fault::Broken, second(1)).unwrap().to, State::Ejected);
}

#[test]
fn failed_connects_between_bad_answers_count_as_bad_answers() {
    let health = healthy();
    for _ in 0..2 {
        health.failed(Fault::Gateway, second(1));
        health.connect_failed(second(1));
        health.connected(second(1));
    }
    assert_eq!(health.failed(Fault::Gateway, second(1)).unwrap().to, State::Ejected);
}

#[test]
fn answers_of_500_eject_only_where_that_is_asked_for() {
    let health = healthy();
    for _ in 0..100 {
        assert_eq!(health.failed(Fault::Server, second(1)), None);
    }
    let mut strict = plan();
    strict.outlier.server_errors = Some(number(3));
    health.configure(&strict, Duty::Serving, second(1));
    health.failed(Fault::Gateway, second(2));
    health.failed(Fault::Server, second(2));
    let ejected = health.failed(Fault::Server, second(2)).unwrap();
    assert_eq!(ejected.cause.to_string(), "answers were errors 3 times in a row; ejected for 10s");
}

#[test]
fn checks_do_not_end_an_ejection_and_answers_to_older_requests_neither() {
    let health = ejected_since(second(1));
    for _ in 0..9 {
        assert_eq!(health.check_passed(second(2)), None);
        assert_eq!(health.succeeded(second(2)), None);
        assert_eq!(health.connected(second(2)), None);
    }
    assert_eq!(health.state(), State::Ejected);
    assert!(health.admit(second(11)));
    assert_eq!(health.succeeded(second(11)).unwrap().cause, Cause::Answered);
    assert_eq!(health.state(), State::Healthy);
}

#[test]
fn one_bad_answer_to_the_trial_makes_the_ejection_longer() {
    let health = ejected_since(second(0));
    let mut now = second(0);
    for pause in [10, 20, 40, 40] {
        assert_eq!(health.failed(Fault::Gateway, now), None, "before the trial nothing counts");
        let end = now.after(Duration::from_secs(pause));
        assert!(!health.available(Moment(end.0 - 1)), "ejection of {pause} s");
        assert!(health.admit(end));
        assert_eq!(health.failed(Fault::Gateway, end).unwrap().to, State::Ejected);
        now = end;
    }
}

#[test]
fn failed_checks_overrule_an_ejection() {
    let health = ejected_since(second(1));
    (0..3).for_each(|_| _ = health.check_failed(second(2), "reset"));
    assert_eq!(health.state(), State::Unhealthy);
    assert!(!health.available(second(1_000)));
}

#[test]
fn of_all_endpoints_only_the_set_share_is_ejected() {
    let peers = Arc::new(Peers::default());
    peers.limit_ejections(5, number(50));
    let new = || Health::new(&plan(), Duty::Serving, Moment(0), Arc::clone(&peers));
    let mut all: Vec<_> = (0..5).map(|_| new()).collect();
    for health in &all {
        (0..20).for_each(|_| _ = health.failed(Fault::Gateway, second(1)));
    }
    let ejected = |all: &[Health]| all.iter().filter(|h| h.state() == State::Ejected).count();
    assert_eq!((ejected(&all), peers.ejected()), (2, 2));
    all.remove(0);
    assert_eq!(peers.ejected(), 1, "one that is gone leaves its place to another");
    assert_eq!(all[2].failed(Fault::Gateway, second(1)).unwrap().to, State::Ejected);
}

#[test]
fn one_may_always_be_ejected() {
    let peers = Arc::new(Peers::default());
    peers.limit_ejections(3, number(0));
    let health = Health::new(&plan(), Duty::Serving, Moment(0), peers);
    let complaint = Complaint::SuccessRate { own: 0.5, mean: 0.99 };
    let transition = health.stood_out(complaint, second(1)).unwrap();
    let told = "50 % of its answers were good, 99 % with all endpoints; ejected for 10s";
    assert_eq!(transition.cause.to_string(), told);
}
