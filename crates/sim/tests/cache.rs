//! What caches miss.
#![allow(clippy::unwrap_used)]

use std::hash::{BuildHasherDefault, DefaultHasher};

use moka::sync::Cache;
use serde_json::{Value, json};
use tidegate_sim::cache::{Misses, Report, Scenario, Stream, run};

type Still = BuildHasherDefault<DefaultHasher>;

const POLICIES: [&str; 6] = ["fifo", "lru", "s3_fifo", "sieve", "tiny_lfu", "w_tiny_lfu"];

fn zipf(skew: f64, once: f64, scans: f64) -> Value {
    json!({"synthetic": {
        "requests": 200_000,
        "objects": 20_000,
        "skew": skew,
        "once": once,
        "scans": {"share": scans, "length": 2_000},
        "size": {"lognormal": {"mean": 10_000, "cv": 1.5}},
    }})
}

fn scenario(policy: &str, capacities: Value, stream: Value) -> Scenario {
    let scenario = json!({"seed": 1, "policy": policy, "capacities": capacities, "stream": stream});
    serde_json::from_value(scenario).unwrap()
}

fn report(policy: &str, capacities: Value, stream: Value) -> Report {
    run(&scenario(policy, capacities, stream)).unwrap()
}

/// The part of the requests that a cache of a tenth of all objects misses.
fn miss_ratio(policy: &str, stream: Value) -> f64 {
    let report = report(policy, json!([{"share": 0.1}]), stream);
    report.misses[0].requests as f64 / report.requests as f64
}

#[test]
fn the_same_seed_gives_the_same_report() {
    for policy in POLICIES {
        let report = || report(policy, json!([{"share": 0.1}]), zipf(0.9, 0.1, 0.1));
        assert_eq!(report(), report());
    }
}

#[test]
fn a_cache_that_all_fits_into_misses_each_object_once() {
    let stream = json!({"recorded": [[1, 100], [2, 50], [1, 100], [3, 10], [2, 50], [1, 100]]});
    for policy in POLICIES {
        let report = report(policy, json!([{"bytes": 1_000}, {"bytes": 0}]), stream.clone());
        assert_eq!((report.requests, report.bytes), (6, 410));
        assert_eq!((report.objects, report.footprint), (3, 160));
        assert_eq!(report.unbounded, Misses { capacity: 160, requests: 3, bytes: 160 });
        assert_eq!(report.misses[0], Misses { capacity: 1_000, requests: 3, bytes: 160 });
        assert_eq!(report.misses[1], Misses { capacity: 0, requests: 6, bytes: 410 });
    }
}

#[test]
fn a_larger_cache_misses_less() {
    let capacities = json!([{"share": 0.01}, {"share": 0.05}, {"share": 0.2}, {"share": 1.0}]);
    for policy in POLICIES {
        let report = report(policy, capacities.clone(), zipf(0.9, 0.0, 0.0));
        let misses: Vec<_> = report.misses.iter().map(|misses| misses.requests).collect();
        assert!(misses.is_sorted_by(|larger, smaller| larger > smaller), "{policy}: {misses:?}");
    }
}

#[test]
fn what_scans_and_one_hit_wonders_cost_lru_they_do_not_cost_the_others() {
    let mixed = || zipf(0.9, 0.2, 0.1);
    let lru = miss_ratio("lru", mixed());
    for policy in ["s3_fifo", "sieve", "w_tiny_lfu"] {
        let other = miss_ratio(policy, mixed());
        assert!(other < lru - 0.03, "{policy}: {other:.3}, lru: {lru:.3}");
    }
    assert!(miss_ratio("fifo", mixed()) > lru);
}

#[test]
fn tiny_lfu_misses_what_moka_misses() {
    let stream: Stream = serde_json::from_value(zipf(0.8, 0.2, 0.1)).unwrap();
    let requests = stream.requests(1);
    let ours = report("tiny_lfu", json!([{"share": 0.1}]), zipf(0.8, 0.2, 0.1));
    let moka = Cache::builder().max_capacity(ours.misses[0].capacity).weigher(|_, &size| size);
    // What moka keeps follows the places of its keys in its sketch: a hasher without a seed of its own holds them still.
    let moka: Cache<u128, u32, Still> = moka.build_with_hasher(Still::default());
    let mut missed = 0;
    for request in &requests {
        if moka.get(&request.id).is_none() {
            missed += 1;
            moka.insert(request.id, request.size as u32);
        }
        moka.run_pending_tasks();
    }
    let (ours, moka) = (ours.misses[0].requests as f64, f64::from(missed));
    let share = (ours - moka) / requests.len() as f64;
    assert!(share.abs() < 0.02, "ours misses {ours}, moka {moka}");
}

#[test]
fn what_it_cannot_run_with_is_told_with_its_place() {
    let refused = |capacities: Value, different: Value| {
        let mut stream = zipf(0.9, 0.2, 0.1);
        let options = stream["synthetic"].as_object_mut().unwrap();
        options.extend(different.as_object().unwrap().clone());
        run(&scenario("lru", capacities, stream)).unwrap_err().path
    };
    let all = || json!([{"share": 1.0}]);
    assert_eq!(refused(json!([{"share": 1.5}]), json!({})), "capacities.0");
    assert_eq!(refused(all(), json!({"objects": 0})), "objects");
    assert_eq!(refused(all(), json!({"once": 0.95})), "once");
    assert_eq!(refused(all(), json!({"scans": {"share": 0, "length": 0}})), "scans.length");
    assert_eq!(refused(all(), json!({"size": {"samples": []}})), "size");
}
