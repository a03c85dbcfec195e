//! Endpoints that cannot be connected to.

use super::*;

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
fn one_that_drains_serves_on_until_it_cannot_be_connected_to_or_answers_badly() {
    type Ill = fn(&Health);
    let ways: [(u32, Ill); 3] = [
        (3, |health| assert_eq!(health.connect_failed(second(2)), None)),
        (5, |health| assert_eq!(health.failed(Fault::Broken, second(2)), None)),
        (5, |health| assert_eq!(health.failed(Fault::Gateway, second(2)), None)),
    ];
    for (times, fails) in ways {
        let health = healthy();
        health.configure(&plan(), Duty::Draining, second(1)).unwrap();
        for _ in 0..times {
            assert!(health.admit(second(2)));
            fails(&health);
        }
        assert_eq!((health.admit(second(1_000)), health.state()), (false, State::Draining));
    }
}

#[test]
fn one_that_was_ill_when_it_began_to_drain_serves_nothing() {
    let health = resting_since(second(1));
    health.configure(&plan(), Duty::Draining, second(1)).unwrap();
    assert!(!health.available(second(1_000)));
    let health = Health::new(&plan(), Duty::Draining, second(1), Arc::default());
    assert!(health.available(second(1)), "nothing speaks against it");
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
fn a_successful_trial_makes_it_healthy() {
    let health = resting_since(second(0));
    assert!(health.admit(second(1)));
    assert_eq!(health.connected(second(1)).unwrap().to, State::Healthy);
}

#[test]
fn good_behaviour_makes_the_next_rest_shorter_again() {
    for (well_for, rest) in [(0, 4), (6, 2), (11, 1)] {
        let health = resting_since(second(0));
        assert!(health.admit(second(1)));
        health.connect_failed(second(1)).unwrap();
        health.connected(second(3)).unwrap();
        let now = second(3 + well_for);
        for _ in 0..3 {
            health.connect_failed(now);
        }
        let end = now.after(Duration::from_secs(rest));
        assert!(health.available(end), "after {well_for} s");
        assert!(!health.available(Moment(end.0 - 1)), "after {well_for} s");
    }
}

#[test]
fn it_rests_after_connections_that_break_and_passed_checks_end_that() {
    let health = healthy();
    for _ in 0..2 {
        assert_eq!(health.failed(Fault::Broken, second(1)), None);
        assert_eq!(health.connect_failed(second(1)), None);
    }
    let transition = health.failed(Fault::Broken, second(1)).unwrap();
    let told = "connections broke 5 times in a row; rests for 1s";
    assert_eq!((transition.to, transition.cause.to_string().as_str()), (State::Resting, told));
    let passed: Vec<_> = (0..2).filter_map(|_| health.check_passed(second(1))).collect();
    assert_eq!(passed.last().map(|last| last.to), Some(State::Healthy));
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
