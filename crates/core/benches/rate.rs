//! What a rate limit costs a request: beside the memory that it must read, and where all of it is in the caches.
//!
//! `cargo bench -p tidegate-core --bench rate`
#![allow(missing_docs)]

use std::hint::black_box;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use crossbeam_utils::CachePadded;
use http::HeaderMap;
use tidegate_core::balance::SplitMix64;
use tidegate_core::rate::{
    Cost, Demand, Fields, Key, Limit, Mode, Pass, Secret, Style, Terms, Window,
};
use tidegate_core::time::Moment;

const MANY: usize = 10_000_000;
const FEW: usize = 1_000;

/// So many keys at most are ready to be asked for, in random order: making one is timed apart.
const READY: usize = 1 << 20;

fn key(n: u64) -> Key {
    let mut key = Secret::new(b"0123456789abcdef").key();
    key.part(&n.to_le_bytes());
    key.finish()
}

fn nonzero(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).unwrap_or(NonZeroU64::MIN)
}

/// Keys of a limit that says nothing else.
const DEFAULT: usize = 1_000_000;

/// A limit of so many windows, none of which is ever over, and of whose keys so many are live.
fn limit(windows: u64, keys: usize, style: Style) -> Limit {
    let hours = (1..=windows).map(|hours| {
        let quota = nonzero(1_000_000_000);
        Window::new(quota, Duration::from_secs(3_600 * hours), quota)
    });
    let terms = Terms {
        name: "per-user".into(),
        windows: hours.collect(),
        mode: Mode::Enforce,
        patience: Duration::ZERO,
        cost: Cost::default(),
        style,
        keys: NonZeroUsize::new(keys.max(DEFAULT)).unwrap_or(NonZeroUsize::MIN),
        shared: None,
    };
    let limit = match Limit::new(terms, None) {
        Ok(limit) => limit,
        Err(error) => unreachable!("{error}"),
    };
    for n in 0..keys as u64 {
        // So much that it stays live to the end.
        let cost = 100_000_000;
        Pass::new(&[Demand { limit: &limit, key: key(n), cost }], Moment(1));
    }
    limit
}

/// One request of one of `keys`, as a worker asks.
fn ask(limit: &Limit, key: Key, now: &mut u64) -> Pass {
    *now += 100;
    Pass::new(&[Demand { limit, key, cost: 1 }], Moment(*now))
}

fn ready(keys: usize) -> Vec<Key> {
    let mut random = SplitMix64::new(1);
    (0..READY.min(keys)).map(|_| key(random.below(keys as u64))).collect()
}

/// Requests of random keys, each known only once the one before is decided.
fn decide(criterion: &mut Criterion, name: &str, windows: u64, keys: usize) {
    let limit = limit(windows, keys, Style::None);
    let ready = ready(keys);
    let (mut next, mut now) = (0, 1);
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            let pass = ask(black_box(&limit), ready[next % ready.len()], &mut now);
            // What the compiler cannot know to be 1.
            next += 1 + usize::from(pass.verdict.denies());
        });
    });
}

/// Reads of random words of a table as large as that of [`MANY`] keys, each of which says where the next one is.
fn dependent_reads(criterion: &mut Criterion) {
    // A random permutation of one cycle (Sattolo 1986), one word a cache line.
    let lines = MANY / 4 * 5 * 16 / 64;
    let mut order = (0..lines as u64).collect::<Vec<_>>();
    let mut random = SplitMix64::new(1);
    for last in (1..lines).rev() {
        order.swap(last, random.below(last as u64) as usize);
    }
    let mut table = vec![0; lines * 8];
    for (line, next) in order.into_iter().enumerate() {
        table[line * 8] = next * 8;
    }
    let mut place = 0;
    criterion.bench_function("memory/one dependent random read", |bencher| {
        bencher.iter(|| {
            place = black_box(&table)[place as usize];
            place
        });
    });
}

fn decisions(criterion: &mut Criterion) {
    dependent_reads(criterion);
    decide(criterion, "decide/one window of 10000000 keys", 1, MANY);
    decide(criterion, "decide/two windows of 10000000 keys", 2, MANY);
    decide(criterion, "decide/one window of 1000 keys", 1, FEW);
    decide(criterion, "decide/two windows of 1000 keys", 2, FEW);
}

/// One key, and for comparison one word that is only added to: what passing a cache line between two cores costs.
fn contended(criterion: &mut Criterion) {
    let word = CachePadded::new(AtomicU64::new(0));
    from_two_threads(criterion, "one word", || word.fetch_add(1, AcqRel));
    let (limit, key) = (limit(1, FEW, Style::None), key(1));
    from_two_threads(criterion, "one key", || ask(&limit, black_box(key), &mut 1).verdict);
}

/// What `work` takes this thread, while no other does the same and while another does.
fn from_two_threads<T>(criterion: &mut Criterion, name: &str, work: impl Fn() -> T + Sync) {
    criterion.bench_function(&format!("contended/{name} from one thread"), |bencher| {
        bencher.iter(&work);
    });
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                black_box(work());
            }
        });
        criterion.bench_function(&format!("contended/{name} from two threads"), |bencher| {
            bencher.iter(&work);
        });
        over.store(true, Relaxed);
    });
}

/// What stands around a decision: the key before it, and the fields after it.
fn around(criterion: &mut Criterion) {
    let secret = Secret::new(b"0123456789abcdef");
    let client = std::net::IpAddr::from([192, 0, 2, 1]);
    criterion.bench_function("around/key of a client", |bencher| {
        bencher.iter(|| {
            let mut key = secret.key();
            key.client(tidegate_core::rate::Prefixes::default().network(black_box(client)));
            key.finish()
        });
    });
    for (name, style) in [("nearest", Style::Nearest), ("all", Style::All)] {
        let limit = limit(2, FEW, style);
        let demands = [Demand { limit: &limit, key: key(1), cost: 1 }];
        let pass = Pass::new(&demands, Moment(2));
        criterion.bench_function(&format!("around/fields of two windows, {name}"), |bencher| {
            bencher.iter(|| {
                let mut fields = Fields::default();
                pass.tell(&demands, Moment(3), &mut fields);
                let mut headers = HeaderMap::with_capacity(4);
                fields.add_to(&mut headers);
                headers
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1));
    targets = around, contended, decisions
}
criterion_main!(benches);
