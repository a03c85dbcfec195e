use super::*;

fn load() -> Load {
    Load::new(Arc::default(), Duration::from_secs(10), Signals::ALL)
}

#[test]
fn counts_add_up_and_nothing_stays_in_flight_after_many_threads() {
    const THREADS: u64 = 4;
    const REQUESTS: u64 = 5_000;
    let load = load();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let load = &load;
            scope.spawn(move || {
                for request in 0..REQUESTS {
                    let sent = load.begin();
                    let outcome =
                        if request % 10 == 0 { Outcome::Failed } else { Outcome::Answered };
                    let now = Moment(request * 1_000 + thread);
                    load.finish(sent, outcome, Duration::from_millis(5), now);
                }
            });
        }
    });
    assert_eq!(load.in_flight(), 0);
    assert_eq!(load.total.in_flight(), 0);
    assert_eq!(load.requests(), THREADS * REQUESTS);
    assert_eq!(load.failures(), THREADS * REQUESTS / 10);
    assert_eq!(load.latency(), Some(Duration::from_millis(5)));
}

#[test]
fn a_fast_failure_does_not_make_an_endpoint_look_quick() {
    let load = load();
    for (second, outcome) in [(1, Outcome::Answered), (60, Outcome::Failed)] {
        let sent = load.begin();
        let latency = Duration::from_millis(if second == 1 { 80 } else { 1 });
        load.finish(sent, outcome, latency, Moment::default().after(Duration::from_secs(second)));
    }
    assert_eq!(load.latency(), Some(Duration::from_millis(80)));
    assert_eq!((load.requests(), load.failures()), (2, 1));
}

#[test]
fn an_abandoned_request_counts_neither_as_failure_nor_in_the_latency() {
    let load = load();
    let sent = load.begin();
    load.finish(sent, Outcome::Abandoned, Duration::from_secs(9), Moment(1));
    assert_eq!((load.requests(), load.failures(), load.latency()), (1, 0, None));
}

/// A load of which `signals` are read, after an answer that took a second.
fn answered(signals: Signals) -> Load {
    let load = Load::new(Arc::default(), Duration::from_secs(10), signals);
    let sent = load.begin();
    load.finish(sent, Outcome::Answered, Duration::from_secs(1), Moment(1));
    load
}

#[test]
fn only_what_is_read_is_kept_up_to_date() {
    let known = |signals| {
        let load = answered(signals);
        let pace = load.pace(Moment(1)).answers > 0.0;
        (load.peak(Moment(1)).is_some(), load.unloaded(Moment(1)).is_some(), pace)
    };
    assert_eq!(known(Signals::NONE), (false, false, false));
    assert_eq!(known(Signals::PEAK), (true, false, false));
    assert_eq!(known(Signals::LEVELS), (false, true, false));
    assert_eq!(known(Signals::WORKERS), (false, false, true));
    assert_eq!(answered(Signals::NONE).latency(), Some(Duration::from_secs(1)));
}

#[test]
fn a_peak_that_is_read_from_now_on_begins_with_the_mean() {
    let load = answered(Signals::NONE);
    load.configure(Duration::from_secs(10), Signals::PEAK, Moment(2));
    assert_eq!(load.peak(Moment(2)), Some(1.0));
}

#[test]
fn what_was_foreseen_is_gone_with_the_policy_that_read_it() {
    let load = answered(Signals::WORKERS);
    load.foresee(Foreseen { workers: Some(4), pace: Some(2.0) });
    load.configure(Duration::from_secs(10), Signals::WORKERS, Moment(2));
    assert_eq!(load.foreseen().workers, Some(4));
    load.configure(Duration::from_secs(10), Signals::NONE, Moment(2));
    assert_eq!(load.foreseen(), Foreseen::NOTHING);
}

#[test]
fn a_report_tells_the_requests_of_others_for_a_second() {
    let (load, now) = (load(), Moment(5_000_000_000));
    (0..3).for_each(|_| _ = load.begin());
    load.report(Report { in_flight: Some(10), latency: Some(0.25), ..Report::default() }, now);
    let second = now.after(Duration::from_secs(1));
    assert_eq!((load.others(second), load.expected(second)), (Some(7), Some(0.25)));
    let later = now.after(Duration::from_millis(1_001));
    assert_eq!((load.others(later), load.expected(later)), (Some(0), None));
}

#[test]
fn a_reported_latency_moves_with_what_is_seen_at_the_own_load() {
    let (load, now) = (load(), Moment(5_000_000_000));
    let sent = load.begin();
    load.finish(sent, Outcome::Answered, Duration::from_millis(100), now);
    load.report(Report { latency: Some(0.2), ..Report::default() }, now);
    let expected = load.expected(now).unwrap_or_default();
    assert!((expected - 0.2).abs() < 1e-3, "{expected}");
    (0..4).for_each(|_| _ = load.begin());
    let sent = load.begin();
    load.finish(sent, Outcome::Answered, Duration::from_millis(400), now);
    let loaded = load.expected(now).unwrap_or_default();
    assert!(loaded > 0.4, "twice as slow as it looks from here, at any load: {loaded}");
}

#[test]
fn requests_in_flight_follow_from_a_rate_and_an_endpoint_that_reports_so_is_full() {
    let (load, now) = (load(), Moment(5_000_000_000));
    load.report(Report { rate: Some(50.0), latency: Some(0.1), ..Report::default() }, now);
    assert_eq!(load.others(now), Some(5));
    load.report(Report { utilization: Some(1.2), in_flight: Some(0), ..Report::default() }, now);
    assert_eq!(load.others(now), None);
}

#[test]
fn connections_stop_at_their_limit_over_all_threads() {
    let load = load();
    let opened: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..100).filter(|_| load.open_connection(Some(150))).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    assert_eq!((opened, load.connections()), (150, 150));
    load.close_connection();
    assert!(load.open_connection(Some(150)));
    assert!(load.open_connection(None));
}

#[test]
fn the_cost_of_a_request_is_its_time_at_an_endpoint_of_usual_pace() {
    let load = load();
    load.foresee(Foreseen { workers: Some(2), pace: Some(4.0) });
    let sent = [(); 3].map(|()| load.begin());
    let second = Duration::from_secs(1);
    let costs = sent.map(|sent| load.cost(sent, second));
    assert_eq!(costs, [Some(second / 4), Some(second / 4), None], "the third has to wait");
}

#[test]
fn where_the_workers_are_not_known_only_a_request_alone_tells_its_cost() {
    let load = load();
    let sent = [(); 2].map(|()| load.begin());
    let second = Duration::from_secs(1);
    assert_eq!(sent.map(|sent| load.cost(sent, second)), [Some(second), None]);
}
