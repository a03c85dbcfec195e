//! What a prediction costs a request, and what it costs to learn from one.
//!
//! `cargo bench -p tidegate-core --bench predict`
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tidegate_core::plan::Priority;
use tidegate_core::predict::features::Observed;
use tidegate_core::predict::{Described, Ended, Predictor};
use tidegate_core::time::Moment;

const NOW: Moment = Moment(60_000_000_000);
/// Templates, as many as a large service has.
const TEMPLATES: usize = 200;

fn path(n: usize) -> String {
    // Two positions, so that neither is taken for a variable.
    format!("/v1/{}x/{}/part{}", n % 20, n * 7919, n / 20)
}

fn described(path: &str) -> Described<'_> {
    Described { route: 3, method: "GET", path: Some(path), size: None }
}

fn observed(path: &str) -> Observed<'_> {
    Observed {
        described: described(path),
        query: Some("page=4&size=20"),
        content_type: None,
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        time: Duration::from_secs(1_800_000_000),
        load: 0.5,
        priority: Priority::Normal,
    }
}

/// A request that found a worker free, in the arm of those that come now.
fn ended(predictor: &Predictor, cost: Duration) -> Ended {
    Ended {
        arm: predictor.arm(NOW),
        cost: Some(cost),
        took: Some(cost),
        stands_for: 1,
        by_model: false,
    }
}

fn predict(criterion: &mut Criterion) {
    let predictor = Predictor::new(7);
    let paths: Vec<String> = (0..TEMPLATES).map(path).collect();
    let branches: Vec<_> =
        paths.iter().map(|path| predictor.branch(&described(path), NOW)).collect();
    for turn in 0..100 * TEMPLATES {
        let n = turn % TEMPLATES;
        let cost = Duration::from_micros(1_000 + 100 * n as u64);
        predictor.ended(&branches[n], ended(&predictor, cost), NOW);
    }
    predictor.renew(|| 32.0, NOW);
    let mut turn = 0;
    let mut next = || {
        turn = (turn + 1) % TEMPLATES;
        turn
    };
    criterion.bench_function("predict/branch", |bencher| {
        bencher.iter(|| predictor.branch(&described(black_box(&paths[next()])), NOW));
    });
    criterion.bench_function("predict/look-up", |bencher| {
        bencher.iter(|| predictor.predict(black_box(&branches[next()]), NOW));
    });
    criterion.bench_function("predict/slow", |bencher| {
        let took = Duration::from_millis(5);
        bencher.iter(|| predictor.is_slow(black_box(&branches[next()]), took, NOW));
    });
    criterion.bench_function("predict/features", |bencher| {
        bencher.iter(|| {
            let turn = next();
            let observed = observed(black_box(&paths[turn]));
            let estimate = predictor.estimate(&branches[turn], NOW);
            predictor.features(&observed, &branches[turn], &estimate)
        });
    });
    criterion.bench_function("predict/update", |bencher| {
        let cost = Duration::from_millis(5);
        bencher
            .iter(|| predictor.ended(black_box(&branches[next()]), ended(&predictor, cost), NOW));
    });
}

criterion_group!(benches, predict);
criterion_main!(benches);
