#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;

use super::record::HISTORY;
use super::*;
use crate::plan::{InitialHealth, Millis};

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

fn ejected_since(now: Moment) -> Health {
    let health = healthy();
    for _ in 0..5 {
        health.failed(Fault::Gateway, now);
    }
    assert_eq!(health.state(), State::Ejected);
    health
}

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
    strict.outlier.server_errors = Some(3);
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
    peers.limit_ejections(5, 50.0);
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
    peers.limit_ejections(3, 0.0);
    let health = Health::new(&plan(), Duty::Serving, Moment(0), peers);
    let complaint = Complaint::SuccessRate { own: 0.5, mean: 0.99 };
    let transition = health.stood_out(complaint, second(1)).unwrap();
    let told = "50 % of its answers were good, 99 % with all endpoints; ejected for 10s";
    assert_eq!(transition.cause.to_string(), told);
}

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
    health.configure(&plan::Health { http: None, ..plan() }, Duty::Serving, second(9));
    assert_eq!(health.state(), State::Healthy);
    assert_eq!(health.history().last().unwrap().cause, Cause::ChecksEnded);
}

#[test]
fn new_settings_leave_the_state_alone() {
    let health = resting_since(second(1));
    health.configure(&plan::Health { fall: 9, ..plan() }, Duty::Serving, second(1));
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

/// What can happen to an endpoint.
#[derive(Debug, Clone, Copy)]
enum Event {
    ConnectFails,
    Connects,
    Answers,
    Fails(Fault),
    CheckPasses,
    CheckFails,
    StandsOut,
    Picked,
    Drains,
    Rests,
    Serves,
}

fn event() -> impl Strategy<Value = Event> {
    use Event::*;
    prop_oneof![
        4 => Just(ConnectFails),
        2 => Just(Connects),
        2 => Just(Answers),
        6 => Just(Fails(Fault::Gateway)),
        2 => Just(Fails(Fault::Broken)),
        2 => Just(Fails(Fault::Server)),
        2 => Just(CheckPasses),
        2 => Just(CheckFails),
        3 => Just(StandsOut),
        4 => Just(Picked),
        1 => Just(Drains),
        1 => Just(Rests),
        2 => Just(Serves),
    ]
}

fn happen(event: Event, health: &Health, now: Moment) {
    match event {
        Event::ConnectFails => _ = health.connect_failed(now),
        Event::Connects => _ = health.connected(now),
        Event::Answers => _ = health.succeeded(now),
        Event::Fails(fault) => _ = health.failed(fault, now),
        Event::CheckPasses => _ = health.check_passed(now),
        Event::CheckFails => _ = health.check_failed(now, "reset"),
        Event::StandsOut => {
            _ = health.stood_out(Complaint::SuccessRate { own: 0.0, mean: 1.0 }, now);
        }
        Event::Picked => _ = health.admit(now),
        Event::Drains => _ = health.configure(&plan(), Duty::Draining, now),
        Event::Rests => {
            _ = health.configure(&plan(), Duty::Maintenance { reason: "x".into() }, now);
        }
        Event::Serves => _ = health.configure(&plan(), Duty::Serving, now),
    }
}

proptest! {
    #[test]
    fn no_events_lead_to_more_ejections_than_allowed(
        events in proptest::collection::vec((0usize..7, event(), 0u64..8), 0..300), percent in 0.0f64..100.0,
    ) {
        let peers = Arc::new(Peers::default());
        peers.limit_ejections(7, percent);
        let all: Vec<_> = (0..7)
            .map(|_| Health::new(&plan(), Duty::Serving, Moment(0), Arc::clone(&peers)))
            .collect();
        let most = ((7.0 * percent / 100.0) as usize).max(1);
        let mut now = Moment(0);
        for (index, event, seconds) in events {
            now = now.after(Duration::from_secs(seconds));
            happen(event, &all[index], now);
            let ejected = all.iter().filter(|health| health.state() == State::Ejected).count();
            prop_assert!(ejected <= most, "{ejected} of at most {most}");
            prop_assert_eq!(peers.ejected() as usize, ejected);
        }
    }

    #[test]
    fn state_availability_and_history_always_agree(
        events in proptest::collection::vec((event(), 0u64..8), 0..300),
    ) {
        let health = healthy();
        let mut now = Moment(0);
        for (event, seconds) in events {
            now = now.after(Duration::from_secs(seconds));
            happen(event, &health, now);
            let state = health.state();
            prop_assert_eq!(health.history().last().unwrap().to, state);
            let late = now.after(Duration::from_secs(1_000_000));
            match state {
                State::Healthy => prop_assert!(health.available(now)),
                State::Resting | State::Ejected => prop_assert!(health.available(late)),
                _ => prop_assert!(!health.available(late), "time alone moves nothing out of {state:?}"),
            }
        }
    }

    #[test]
    fn no_pause_is_longer_than_the_longest(
        events in proptest::collection::vec((event(), 0u64..8), 0..300),
    ) {
        let health = healthy();
        let mut now = Moment(0);
        for (event, seconds) in events {
            now = now.after(Duration::from_secs(seconds));
            happen(event, &health, now);
            let longest = match health.state() {
                State::Resting => plan().outlier.max_rest,
                State::Ejected => plan().outlier.max_ejection,
                _ => Millis(u64::MAX),
            };
            prop_assert!(longest == Millis(u64::MAX) || health.available(now.after(longest.duration())));
        }
    }
}
