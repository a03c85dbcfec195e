//! What servers, the network and gateways do to requests.
#![allow(clippy::unwrap_used)]

mod scenario;

use scenario::{MILLISECOND, SECOND, read, scenario, with};
use serde_json::{Value, json};
use tidegate_sim::{Report, run};

fn report(scenario: Value) -> Report {
    run(&read(scenario)).unwrap()
}

fn round_robin() -> Value {
    json!({"policy": "round_robin"})
}

/// A phase that lasts for ever, different in `different` from what is usual.
fn phase(different: Value) -> Value {
    let usual = json!({
        "from": 0, "speed": 1, "errors": 0, "error_after": 0, "drops": 0, "down": false,
    });
    with(usual, different)
}

/// Two servers, the second of them in a phase for ever.
fn with_faulty_second(different: Value) -> Value {
    scenario(round_robin(), &[json!({}), json!({"phases": [phase(different)]})])
}

/// Requests that ask for this much work, one every 10 ms; all are counted.
fn trace(work: &[u64]) -> Value {
    let request = |(n, work)| json!({"at": n as u64 * 10 * MILLISECOND, "work": work, "key": n});
    let trace: Vec<_> = work.iter().enumerate().map(request).collect();
    json!({"warmup": 0, "arrivals": {"trace": trace}})
}

#[test]
fn the_same_seed_gives_the_same_report_to_the_bit() {
    let antagonist = json!({"share": 0.2, "speed": 0.5, "length": SECOND});
    let server = json!({
        "antagonist": antagonist,
        "phases": [phase(json!({"errors": 0.1, "drops": 0.01}))],
    });
    let scenario = with(
        scenario(json!({"policy": "least_request"}), &[server, json!({})]),
        json!({
            "gateways": 3,
            "network": {"lognormal": {"mean": MILLISECOND, "cv": 1.0}},
            "timeout": 50 * MILLISECOND,
            "retry": {"attempts": 2, "backoff": MILLISECOND},
        }),
    );
    assert_eq!(report(scenario.clone()), report(scenario.clone()));
    assert_ne!(report(scenario.clone()), report(with(scenario, json!({"seed": 2}))));
}

#[test]
fn another_policy_sees_the_same_requests() {
    let servers = [json!({}), json!({})];
    let [one, other] = ["random", "least_request"]
        .map(|policy| report(scenario(json!({"policy": policy}), &servers)));
    assert_eq!(one.simulated, other.simulated);
    let busy = |report: &Report| report.servers.iter().map(|s| s.busy).sum::<f64>();
    assert!((busy(&one) - busy(&other)).abs() < 1e-4);
}

/// Limits that let requests wait.
fn waiting() -> Value {
    json!({
        "pending": 10_000,
        "queue": {"timeout": 10_000, "target": 100, "interval": 2_000},
        "adaptive": {"enabled": true, "minimum": 1},
    })
}

#[test]
fn the_fastest_free_worker_is_learnt_and_requests_wait_for_it() {
    let classes = [(4, 50), (12, 30), (60, 15), (400, 5)].map(|(millis, weight)| {
        let service = json!({"lognormal": {"mean": millis * MILLISECOND, "cv": 0.7}});
        json!({"weight": weight, "service": service})
    });
    let servers: Vec<_> =
        (0..8).map(|n| json!({"workers": 4, "speed": if n < 2 { 0.1 } else { 1.0 }})).collect();
    let light = |policy: &str| {
        let mut scenario = with(
            scenario(json!({"policy": policy}), &servers),
            json!({"work": classes, "arrivals": {"poisson": {"rate": 550.0}}}),
        );
        scenario["upstream"]["limits"] = waiting();
        report(scenario).classes[0].p999
    };
    let (free, least) = (light("fastest_free"), light("least_request"));
    assert!(free < least / 2.0, "{free} and {least} ms");
}

/// One server of four workers behind a gateway with these `limits`, besides the usual ones.
fn limited(limits: Value) -> Value {
    let mut scenario = scenario(round_robin(), &[json!({"workers": 4})]);
    scenario["upstream"]["limits"] = with(waiting(), limits);
    scenario
}

#[test]
fn what_the_gate_does_not_let_in_waits_in_the_gateway_in_turn() {
    let work = [30, 5, 1, 1].map(|work| work * MILLISECOND);
    let one = report(with(limited(json!({"requests": 1})), trace(&work)));
    assert_eq!((one.answered, one.waiting), (4, 0.0));
    assert!((one.latency.mean - (30.0 + 25.0 + 16.0 + 7.0) / 4.0).abs() < 1e-6);
}

#[test]
fn what_finds_the_gateways_queue_full_or_waits_there_too_long_fails() {
    let work = [100, 1, 1].map(|work| work * MILLISECOND);
    let full = limited(json!({"requests": 1, "pending": 1}));
    let one = report(with(full, trace(&work)));
    assert_eq!((one.answered, one.failed), (2, 1));
    let queue = json!({"timeout": 50, "target": 50, "interval": 2_000});
    let tired = limited(json!({"requests": 1, "queue": queue}));
    let one = report(with(tired, trace(&work)));
    assert_eq!((one.answered, one.failed, one.unanswered), (1, 2, 0));
}

/// Eight servers of four workers, of which the last two have this speed, with requests of four classes at `rate`.
fn classes(rate: f64, speed: f64, predict: Value) -> Value {
    let class = |(millis, weight): (u64, u64)| {
        let mean = millis * MILLISECOND;
        let service = json!({"lognormal": {"mean": mean, "cv": 0.7, "most": 3 * mean}});
        json!({"weight": weight, "service": service, "template": format!("/class/c{millis}/{{n}}")})
    };
    let work = [(4, 50), (12, 30), (60, 15), (400, 5)].map(class);
    let servers: Vec<_> =
        (0..8).map(|n| json!({"workers": 4, "speed": if n < 2 { speed } else { 1.0 }})).collect();
    let mut scenario = with(
        scenario(json!({"policy": "fastest_free"}), &servers),
        json!({
            "duration": 60 * SECOND,
            "warmup": 10 * SECOND,
            "work": work,
            "arrivals": {"poisson": {"rate": rate}},
            "predict": predict,
        }),
    );
    scenario["upstream"]["limits"] = waiting();
    // Nothing is shed, so that all answer the same requests.
    scenario["upstream"]["limits"]["queue"]["target"] = json!(10_000);
    scenario
}

fn predict(different: Value) -> Value {
    let usual = json!({
        "guarded": true, "comparison": true, "noise": 0, "useless": false, "constant": false, "inverted": false,
    });
    with(usual, different)
}

#[test]
fn predicted_costs_let_light_requests_pass_and_keep_heavy_ones_from_slow_servers() {
    // The last: the quick servers alone could not do it.
    let cases = [(832.0, 1.0, 0.25, 1.05), (555.0, 0.1, 0.4, 0.8), (760.0, 0.6, 0.5, 1.05)];
    for (rate, speed, light, slowest) in cases {
        let one = report(classes(rate, speed, json!(null)));
        let other = report(classes(rate, speed, predict(json!({"comparison": false}))));
        assert!(other.classes[0].p99 < one.classes[0].p99 * light, "{other:?}");
        assert!(other.latency.p99 < one.latency.p99 * 1.05);
        assert!(other.latency.mean < one.latency.mean * 0.9);
        assert!(other.latency.p999 < one.latency.p999 * slowest);
    }
}

#[test]
fn comparing_with_a_tenth_without_predictions_leaves_most_of_the_gain() {
    let without = report(classes(832.0, 1.0, json!(null)));
    let with = report(classes(832.0, 1.0, predict(json!({}))));
    assert!(with.latency.mean < without.latency.mean * 0.93, "{with:?}");
    assert!(with.classes[0].p90 < without.classes[0].p90 * 0.5, "{with:?}");
    assert_eq!(with.predictions_off_after, None);
}

#[test]
fn predictions_that_are_worth_nothing_change_nothing_to_the_bit() {
    for (rate, speed) in [(832.0, 1.0), (555.0, 0.1)] {
        let without = report(classes(rate, speed, json!(null)));
        for fault in ["useless", "constant", "inverted"] {
            let with = report(classes(rate, speed, predict(json!({fault: true}))));
            assert_eq!(with, without, "{fault}");
        }
    }
}

/// The same with four gateways that know nothing of each other, which go by Prequal.
fn many_gateways(rate: f64, speed: f64, predict: Value) -> Value {
    let mut scenario = classes(rate, speed, predict);
    scenario["upstream"]["balance"]["policy"] = json!("prequal");
    scenario["upstream"]["limits"]["adaptive"]["enabled"] = json!(false);
    with(scenario, json!({"gateways": 4}))
}

#[test]
fn gateways_that_see_no_server_full_send_each_request_where_it_is_over_soonest() {
    let [without, with] =
        [json!(null), predict(json!({}))].map(|predict| report(many_gateways(555.0, 0.5, predict)));
    assert!(with.classes[0].p99 < without.classes[0].p99 * 0.65, "{with:?} {without:?}");
    assert!(with.latency.p99 < without.latency.p99 * 0.92);
    assert!(with.latency.p999 < without.latency.p999);
}

#[test]
fn gateways_whose_predictions_are_worth_nothing_decide_as_without_them_to_the_bit() {
    let without = report(many_gateways(700.0, 0.5, json!(null)));
    for fault in ["useless", "constant", "inverted"] {
        let with = report(many_gateways(700.0, 0.5, predict(json!({fault: true}))));
        assert_eq!(with, without, "{fault}");
    }
}

#[test]
fn an_oracle_that_knows_each_request_is_better_than_what_is_learnt_of_their_kinds() {
    let light = |fault: Value| report(classes(832.0, 1.0, predict(fault))).latency.mean;
    assert!(light(json!({"oracle": true})) < light(json!({})));
}

#[test]
fn what_a_scenario_predicts_of_its_samples_is_believed_as_far_as_it_hits() {
    let sampled = |predicted: Value, predict: Value| {
        let mut scenario = classes(832.0, 1.0, predict);
        let costs = [4, 4, 4, 12, 12, 60].map(|millis| millis * MILLISECOND * 2);
        scenario["work"] = json!([{
            "weight": 1, "service": {"samples": costs}, "template": "/all", "predicted": predicted,
        }]);
        report(with(scenario, json!({"arrivals": {"poisson": {"rate": 900.0}}})))
    };
    let right = json!([4, 4, 4, 12, 12, 60].map(|millis| millis * MILLISECOND * 2));
    let wrong = json!([60, 12, 12, 4, 4, 4].map(|millis| millis * MILLISECOND * 2));
    let without = sampled(json!([]), json!(null));
    let told = sampled(right, predict(json!({})));
    assert!(told.latency.mean < without.latency.mean * 0.95, "{told:?} {without:?}");
    assert_eq!(sampled(wrong, predict(json!({}))), without);
}

#[test]
fn an_answer_after_its_deadline_is_of_no_use_and_says_nothing_of_the_server() {
    let work = [{
        let service = json!({"constant": {"value": 20 * MILLISECOND}});
        json!({"weight": 1, "service": service, "deadline": 10 * MILLISECOND})
    }];
    let late = json!({"work": work, "arrivals": {"poisson": {"rate": 5.0}}});
    let one = report(with(scenario(round_robin(), &[json!({})]), late));
    assert_eq!((one.answered, one.unanswered), (0, 0));
    assert_eq!(one.class_failed, [one.failed]);
    assert_eq!(one.servers[0].requests, one.failed, "it is not ejected");
}

#[test]
fn predictions_that_turn_wrong_do_little_harm() {
    let drifting = report(classes(832.0, 1.0, predict(json!({"drift": 30 * SECOND}))));
    let without = report(classes(832.0, 1.0, json!(null)));
    assert!(drifting.classes[0].p99 < without.classes[0].p99 * 1.02);
    // While they are right, the order takes a little of the slowest.
    assert!(drifting.latency.p99 < without.latency.p99 * 1.05);
}

#[test]
fn a_class_that_turns_a_hundred_times_dearer_does_not_hold_up_light_requests() {
    // One request of a hundred is as light as the lightest, at first.
    let rising = |seed: u64, predict: Value| {
        let mut scenario = classes(760.0, 1.0, predict);
        let mut class = scenario["work"][0].clone();
        class["weight"] = json!(1);
        class["template"] = json!("/class/dearer/{n}");
        class["dearer"] = json!({"after": 20 * SECOND, "factor": 100});
        scenario["work"].as_array_mut().unwrap().push(class);
        report(with(scenario, json!({"seed": seed})))
    };
    for seed in 1..=3 {
        let without = rising(seed, json!(null));
        let with = rising(seed, predict(json!({})));
        assert!(with.classes[0].p99 < without.classes[0].p99 * 0.75, "{with:?} {without:?}");
        assert!(with.latency.mean < without.latency.mean * 0.9);
        assert!(with.latency.p99 < without.latency.p99 * 1.05);
        assert_eq!(with.predictions_off_after, None, "the class is learnt anew");
    }
}

#[test]
fn requests_ask_for_more_from_when_on_their_class_rises() {
    let work = json!([{
        "weight": 1, "service": {"constant": {"value": MILLISECOND}}, "dearer": {"after": 60 * SECOND, "factor": 3},
    }]);
    let rising = json!({"work": work, "arrivals": {"poisson": {"rate": 1.0}}});
    let one = report(with(scenario(round_robin(), &[json!({"workers": 9})]), rising));
    let whole = [one.latency.p50, one.latency.p90].map(f64::round);
    assert_eq!(whole, [1.0, 3.0], "{one:?}");
}

#[test]
fn c3_keeps_away_from_a_server_that_is_slow_and_from_one_that_fails_fast() {
    let c3 = json!({"c3": {"clients": 1}, "arrivals": {"poisson": {"rate": 1000.0}}});
    let slow = json!({"speed": 0.2});
    let sinkhole = json!({"phases": [phase(json!({"errors": 1.0}))]});
    for faulty in [slow, sinkhole] {
        let mut servers = vec![json!({}); 4];
        servers[3] = faulty;
        let mut scenario = with(scenario(round_robin(), &servers), c3.clone());
        // Else it would be ejected.
        scenario["upstream"]["health"]["outlier"]["gateway_errors"] = json!(null);
        let report = report(scenario);
        let requests: u64 = report.servers.iter().map(|server| server.requests).sum();
        assert!(report.servers[3].requests < requests / 16, "{:?}", report.servers);
    }
}

#[test]
fn requests_are_served_in_turn() {
    let work = [30, 5, 1, 1].map(|work| work * MILLISECOND);
    let one = report(with(scenario(round_robin(), &[json!({})]), trace(&work)));
    // They arrive at 0, 10, 20 and 30 ms and are done at 30, 35, 36 and 37 ms.
    assert!((one.latency.mean - (30.0 + 25.0 + 16.0 + 7.0) / 4.0).abs() < 1e-6);
    assert!((one.waiting - (0.0 + 20.0 + 15.0 + 6.0) / 4.0).abs() < 1e-6);
}

#[test]
fn the_network_delays_both_ways() {
    let delayed = json!({"network": {"constant": {"value": 3 * MILLISECOND}}});
    let requests = trace(&[MILLISECOND; 5]);
    let one = report(with(with(scenario(round_robin(), &[json!({})]), requests), delayed));
    assert!((one.latency.mean - 7.0).abs() < 1e-6);
}

#[test]
fn only_requests_after_the_warm_up_are_counted() {
    let one = report(scenario(round_robin(), &[json!({})]));
    assert!((9_500..10_500).contains(&one.answered), "100 a second for 100 s: {}", one.answered);
    assert!(one.simulated > one.answered);
    assert_eq!(one.classes.iter().map(|class| class.count).sum::<u64>(), one.answered);
}

#[test]
fn a_sinkhole_fails_its_share_of_the_requests() {
    let one = report(with_faulty_second(json!({"errors": 1, "error_after": MILLISECOND})));
    assert!(one.failed.abs_diff(one.answered) <= 1);
    assert_eq!(one.unanswered, 0);
}

#[test]
fn a_retry_goes_to_another_server() {
    let retry = json!({"retry": {"attempts": 2, "backoff": 10 * MILLISECOND}});
    let one = report(with(with_faulty_second(json!({"errors": 1})), retry));
    assert_eq!(one.failed, 0);
    let retries = (one.tries - one.answered) as f64;
    assert_eq!(one.servers[1].requests as f64, retries, "none went to the faulty one twice");
    assert!((one.latency.mean - 1.0 - 10.0 * retries / one.answered as f64).abs() < 0.2);
}

#[test]
fn a_server_that_is_down_rests_and_is_left_alone() {
    let one = report(with_faulty_second(json!({"down": true})));
    assert!(one.servers[1].requests < 20, "only trials: {}", one.servers[1].requests);
    assert!(one.failed > 0 && one.failed < 20);
}

#[test]
fn a_dropped_request_ends_by_its_timeout() {
    let timeout = json!({"timeout": 200 * MILLISECOND});
    let dropping = with_faulty_second(json!({"drops": 0.5}));
    let one = report(with(dropping.clone(), timeout.clone()));
    assert_eq!(one.unanswered, 0);
    assert!((one.failed as f64 / one.answered as f64 - 1.0 / 3.0).abs() < 0.02);
    let retried = json!({"retry": {"attempts": 2, "backoff": 0}});
    let one = report(with(with(dropping, timeout), retried));
    assert_eq!(one.failed, 0);
    assert!(one.latency.p90 > 200.0);
}

#[test]
fn a_server_works_on_for_a_gateway_that_has_given_up() {
    let slow = json!({"timeout": 15 * MILLISECOND});
    let work = [20, 20].map(|work| work * MILLISECOND);
    let one = report(with(with(scenario(round_robin(), &[json!({})]), trace(&work)), slow));
    assert_eq!((one.answered, one.failed, one.tries), (0, 2, 2));
    assert!((one.servers[0].busy * 100_000.0 - 40.0).abs() < 1e-6, "milliseconds of 100 s");
}

#[test]
fn a_full_queue_refuses() {
    let work = [100, 1, 1].map(|work| work * MILLISECOND);
    let one = report(with(scenario(round_robin(), &[json!({"queue": 1})]), trace(&work)));
    assert_eq!((one.answered, one.failed), (2, 1));
}

#[test]
fn a_hang_is_over_when_its_phase_is() {
    let hang = json!({"phases": [phase(json!({"speed": 0, "until": SECOND}))]});
    let one = report(with(scenario(round_robin(), &[hang]), trace(&[MILLISECOND])));
    assert!((one.latency.mean - 1001.0).abs() < 1e-6);
}

#[test]
fn gateways_that_know_only_their_own_requests_balance_worse() {
    let p99 = |gateways: u32| {
        let busy = json!({"gateways": gateways, "arrivals": {"poisson": {"rate": 3_600.0}}});
        let servers = vec![json!({}); 4];
        report(with(scenario(json!({"policy": "least_request"}), &servers), busy)).latency.p99
    };
    assert!(p99(1) * 1.2 < p99(16));
}

#[test]
fn a_key_keeps_to_its_server() {
    let balance = json!({
        "policy": "ring_hash", "hash": {"path": true}, "load_bound": 1_000.0,
    });
    let servers = vec![json!({}); 5];
    let one = report(with(scenario(balance, &servers), json!({"keys": {"count": 1, "skew": 0}})));
    let used = one.servers.iter().filter(|server| server.requests > 0).count();
    assert_eq!(used, 1);
}

#[test]
fn what_cannot_be_run_is_refused_with_its_place() {
    let hang = scenario(round_robin(), &[json!({"phases": [phase(json!({"drops": 1}))]})]);
    for (refused, place) in [
        (with(scenario(round_robin(), &[json!({})]), json!({"gateways": 0})), "gateways"),
        (scenario(round_robin(), &[json!({"speed": 0})]), "servers.0.speed"),
        (scenario(round_robin(), &[]), "servers"),
        (hang, "servers.0.phases"),
        (
            with(
                scenario(round_robin(), &[json!({})]),
                json!({"work": [{"weight": 1, "service": {"samples": [1]}, "predicted": [1, 2]}]}),
            ),
            "work.0.predicted",
        ),
        (
            with(
                scenario(round_robin(), &[json!({})]),
                json!({"work": [{
                    "weight": 1, "service": {"samples": [1]}, "dearer": {"after": 0, "factor": 0},
                }]}),
            ),
            "work.0.dearer.factor",
        ),
    ] {
        assert_eq!(run(&read(refused)).unwrap_err().path, place);
    }
}

#[test]
fn gateways_learn_from_probes_what_others_sent() {
    let p99 = |probe: Value| {
        // With a percentile of 0 every server is hot, so that only requests in flight decide.
        let prequal = json!({
            "pool": 16, "probes": 3, "age": 1_000, "remove": 1, "reuse": 1.0, "percentile": 0.0,
        });
        let balance = with(json!({"policy": "prequal", "prequal": prequal}), probe);
        let service = json!({"exponential": {"mean": 100 * MILLISECOND}});
        let many = json!({
            "gateways": 64,
            "arrivals": {"poisson": {"rate": 320.0}},
            "work": [{"weight": 1, "service": service}],
        });
        report(with(scenario(balance, &vec![json!({"workers": 4}); 10]), many)).latency.p99
    };
    let probe = json!({"probe": {"path": "/", "interval": 10, "limit": 16}});
    let (informed, alone) = (p99(probe), p99(json!({})));
    assert!(informed * 1.1 < alone, "{informed} {alone}");
}

#[test]
fn a_server_in_trouble_answers_no_probe() {
    let balance = json!({
        "policy": "prequal", "probe": {"path": "/", "interval": 10, "limit": 16},
    });
    let one =
        report(scenario(balance, &[json!({}), json!({"phases": [phase(json!({"errors": 1}))]})]));
    assert!(one.failed * 10 < one.answered, "{} of {}", one.failed, one.answered);
}
