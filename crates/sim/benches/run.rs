//! Simulated requests in a second of one core.
#![allow(missing_docs)]

#[path = "../tests/scenario/mod.rs"]
mod scenario;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use scenario::{MILLISECOND, SECOND, with};
use serde_json::{Value, json};
use tidegate_sim::{Scenario, run};

/// 10,000 requests a second for 10 seconds, on 50 servers of 4 workers that are busy for 80 % of the time.
fn busy(balance: Value) -> Scenario {
    let service = json!({"lognormal": {"mean": 16 * MILLISECOND, "cv": 0.7}});
    scenario::read(with(
        scenario::scenario(balance, &vec![json!({"workers": 4}); 50]),
        json!({
            "gateways": 4,
            "warmup": 0,
            "duration": 10 * SECOND,
            "arrivals": {"poisson": {"rate": 10_000.0}},
            "work": [{"weight": 1, "service": service}],
        }),
    ))
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulate");
    group.throughput(Throughput::Elements(100_000));
    for (name, balance) in [
        ("random", json!({"policy": "random"})),
        ("least request of 2", json!({"policy": "least_request", "choices": 2})),
        ("peak EWMA of 2", json!({"policy": "peak_ewma", "choices": 2})),
        ("Prequal", json!({"policy": "prequal"})),
        (
            "Prequal with probes",
            json!({
                "policy": "prequal", "probe": {"path": "/", "interval": 250, "limit": 16},
            }),
        ),
    ] {
        let scenario = busy(balance);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| run(&scenario));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = requests
}
criterion_main!(benches);
