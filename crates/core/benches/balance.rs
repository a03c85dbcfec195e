//! What a pick costs at each size, and what is built off the workers.
//!
//! `cargo bench -p tidegate-core --bench balance`
#![allow(missing_docs)]

use std::cell::OnceCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tidegate_core::balance::{Balancer, Endpoints, Pick, SplitMix64};
use tidegate_core::load::Outcome;
use tidegate_core::plan::Upstream;
use tidegate_core::time::Moment;

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

const POLICIES: [(&str, &str, Option<u32>); 12] = [
    ("round robin", "round_robin", None),
    ("random", "random", None),
    ("fastest free of 5", "fastest_free", Some(5)),
    ("fastest free of all", "fastest_free", None),
    ("least request of 2", "least_request", Some(2)),
    ("least request of all", "least_request", None),
    ("ring hash", "ring_hash", None),
    ("maglev", "maglev", None),
    ("rendezvous", "rendezvous", None),
    ("first available", "first_available", None),
    ("peak EWMA of 2", "peak_ewma", Some(2)),
    ("prequal", "prequal", None),
];

/// An upstream of `size` endpoints of the weights 1, 2 and 3.
fn upstream(policy: &str, choices: Option<u32>, size: usize) -> Upstream {
    let endpoints: Vec<_> = (0..size)
        .map(|index| {
            let address = format!("10.{}.{}.1:8080", index / 256, index % 256);
            json!({"address": address, "weight": 1 + index % 3, "drain": false, "priority": 0, "labels": {}})
        })
        .collect();
    let plan = serde_json::from_str::<Value>(include_str!("../tests/plan.json"));
    let upstream = plan.and_then(|mut plan| {
        let mut upstream = plan["upstreams"][0].take();
        upstream["balance"]["policy"] = json!(policy);
        upstream["balance"]["choices"] = json!(choices);
        upstream["endpoints"] = json!(endpoints);
        serde_json::from_value(upstream)
    });
    match upstream {
        Ok(upstream) => upstream,
        Err(error) => unreachable!("the plan above is complete: {error}"),
    }
}

/// One pick for a random key, as a worker makes it.
fn pick_one(balancer: &Balancer, random: &mut SplitMix64) -> Option<usize> {
    balancer.renew(Moment(2));
    let hash = Some(random.next());
    balancer.pick(black_box(&mut Pick { hash, ..Pick::new(Moment(2), random) })).ok()
}

/// A balancer of endpoints that have answered before, which has placed four requests an endpoint, all of
/// them still in flight.
fn busy_balancer(upstream: &Upstream) -> Balancer {
    let balancer = Balancer::new(upstream, Endpoints::new(upstream, None, Moment(0)));
    let mut random = SplitMix64::new(1);
    for endpoint in balancer.endpoints().iter() {
        let sent = [(); 8].map(|()| endpoint.load.begin());
        for sent in sent {
            let latency = Duration::from_micros(1_000 + random.below(1_000));
            endpoint.load.finish(sent, Outcome::Answered, latency, Moment(1));
        }
    }
    for _ in 0..4 * upstream.endpoints.len() {
        if let Some(picked) = pick_one(&balancer, &mut random) {
            balancer.endpoints()[picked].load.begin();
        }
    }
    balancer
}

fn pick(criterion: &mut Criterion) {
    for (name, policy, choices) in POLICIES {
        let mut group = criterion.benchmark_group(format!("pick/{name}"));
        for size in SIZES {
            // Not before it is wanted: most of the time is setting up.
            let balancer = OnceCell::new();
            let mut random = SplitMix64::new(2);
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                let balancer =
                    balancer.get_or_init(|| busy_balancer(&upstream(policy, choices, size)));
                bencher.iter(|| pick_one(balancer, &mut random));
            });
        }
    }
}

/// What narrowing adds to a pick: two priorities that share the requests, and a sticky cookie.
fn narrow(criterion: &mut Criterion) {
    let mut random = SplitMix64::new(2);
    for size in SIZES {
        let mut upstream = upstream("random", None, size);
        for endpoint in upstream.endpoints.iter_mut().skip(size / 2) {
            (endpoint.priority, endpoint.drain) = (1, false);
        }
        upstream.endpoints.iter_mut().take(size / 4).for_each(|endpoint| endpoint.drain = true);
        let balancer = busy_balancer(&upstream);
        criterion.bench_function(&format!("narrow/shared by two tiers/{size}"), |bencher| {
            bencher.iter(|| pick_one(&balancer, &mut random));
        });
        let sticky = serde_json::json!({
            "cookie": "app", "path": "/", "secure": true, "http_only": true, "same_site": "lax",
        });
        upstream.balance.sticky = serde_json::from_value(sticky).ok();
        let balancer = busy_balancer(&upstream);
        let Some(sticky) = balancer.sticky() else { unreachable!("the plan above has it") };
        let cookie = sticky.set_cookie(size - 1);
        let value = &cookie.as_bytes()["app=".len()..][..32];
        criterion.bench_function(&format!("narrow/by a sticky cookie/{size}"), |bencher| {
            bencher.iter(|| {
                let named = sticky.endpoint(black_box(value));
                let sticky = named.as_slice();
                balancer.pick(&mut Pick { sticky, ..Pick::new(Moment(1), &mut random) }).ok()
            });
        });
    }
}

/// What counting a request costs with each kind of policy.
fn load(criterion: &mut Criterion) {
    for policy in ["random", "fastest_free", "peak_ewma", "prequal"] {
        let upstream = upstream(policy, None, 1);
        let endpoints = Endpoints::new(&upstream, None, Moment(0));
        let mut now = 0;
        criterion.bench_function(&format!("load/begin and finish/{policy}"), |bencher| {
            bencher.iter(|| {
                now += 10_000;
                let sent = endpoints[0].load.begin();
                let latency = Duration::from_micros(300);
                endpoints[0].load.finish(sent, Outcome::Answered, latency, Moment(now));
            });
        });
    }
}

fn build(criterion: &mut Criterion) {
    for (name, policy) in [("ring", "ring_hash"), ("Maglev table", "maglev")] {
        let upstream = upstream(policy, None, 10_000);
        let endpoints = Endpoints::new(&upstream, None, Moment(0));
        criterion.bench_function(&format!("build/{name} of 10000"), |bencher| {
            bencher.iter(|| Balancer::new(&upstream, endpoints.clone()));
        });
    }
    let upstream = upstream("random", None, 10_000);
    let endpoints = Endpoints::new(&upstream, None, Moment(0));
    let balancer = Balancer::new(&upstream, endpoints);
    criterion.bench_function("build/renewal after a change of 10000", |bencher| {
        bencher.iter(|| {
            let endpoint = &balancer.endpoints()[5_000];
            endpoint.set_weight(3 - endpoint.weight());
            balancer.renew(Moment(2));
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = pick, narrow, load, build
}
criterion_main!(benches);
