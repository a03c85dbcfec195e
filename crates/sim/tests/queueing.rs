//! The simulator against what queueing theory knows exactly.
#![allow(clippy::unwrap_used)]

mod scenario;

use scenario::{MILLISECOND, read, with};
use serde_json::{Value, json};
use tidegate_sim::{Report, run};

/// One server of `workers` workers, kept busy for `load` of the time, for a million and a half requests.
fn station(workers: u32, load: f64, service: Value) -> Report {
    let rate = load * f64::from(workers) * 1e9 / MILLISECOND as f64;
    let scenario = with(
        scenario::scenario(json!({"policy": "random"}), &[json!({"workers": workers})]),
        json!({
            "duration": (1.5e6 / rate * 1e9) as u64,
            "arrivals": {"poisson": {"rate": rate}},
            "work": [{"weight": 1, "service": service}],
        }),
    );
    run(&read(scenario)).unwrap()
}

fn exponential() -> Value {
    json!({"exponential": {"mean": MILLISECOND}})
}

#[track_caller]
fn assert_near(found: f64, exact: f64) {
    assert!((found / exact - 1.0).abs() < 0.02, "simulated {found}, exact {exact}");
}

/// The probability that a request waits in M/M/c, for `load` = λ / (c μ).
fn erlang_c(workers: u32, load: f64) -> f64 {
    let offered = load * f64::from(workers);
    // Erlang B by its recursion, from which C follows.
    let blocked = (1..=workers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    blocked / (1.0 - load * (1.0 - blocked))
}

#[test]
fn an_mm1_queue_waits_and_answers_as_the_formula_says() {
    for load in [0.5, 0.8] {
        let report = station(1, load, exponential());
        assert_near(report.latency.mean, 1.0 / (1.0 - load));
        assert_near(report.waiting, load / (1.0 - load));
        assert_near(report.latency.p99, 100f64.ln() / (1.0 - load));
        assert_near(report.servers[0].busy, load);
    }
}

#[test]
fn an_mmc_queue_waits_as_erlang_c_says() {
    for (workers, load) in [(2, 0.7), (4, 0.8), (10, 0.8)] {
        let report = station(workers, load, exponential());
        let waiting = erlang_c(workers, load) / (f64::from(workers) * (1.0 - load));
        assert_near(report.waiting, waiting);
        assert_near(report.latency.mean, waiting + 1.0);
    }
}

#[test]
fn an_mg1_queue_waits_as_pollaczek_and_khinchine_say() {
    let mean = MILLISECOND;
    for (service, cv) in [
        (json!({"constant": {"value": mean}}), 0.0),
        (json!({"lognormal": {"mean": mean, "cv": 0.7}}), 0.7),
        (json!({"lognormal": {"mean": mean, "cv": 2.0}}), 2.0),
        (json!({"bimodal": {"low": mean / 2, "high": mean * 11 / 2, "high_share": 0.1}}), 1.5),
    ] {
        let load: f64 = 0.7;
        let waiting = load * (1.0 + f64::powi(cv, 2)) / (2.0 * (1.0 - load));
        assert_near(station(1, load, service).waiting, waiting);
    }
}
