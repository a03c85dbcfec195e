//! What it costs to find out whose an API key is, among few and among a million, and what of it is the hash.
//!
//! `cargo bench -p tidegate-core --bench api_key`
#![allow(missing_docs, clippy::disallowed_methods, clippy::print_stderr)]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sha2::{Digest, Sha256};
use tidegate_core::auth::ApiKeys;

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;

/// Of a length that `tidegate key new` writes.
fn secret(n: usize) -> String {
    format!("{:030}", n.wrapping_mul(0x9e37_79b9))
}

fn id(n: usize) -> String {
    format!("key{n:09}")
}

/// The key as it is presented.
fn written(n: usize) -> String {
    const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut key = format!("tg_{}_{}", id(n), secret(n));
    let mut checksum = crc32fast::hash(key.as_bytes());
    let mut digits = [' '; 6];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(BASE62[checksum as usize % 62]);
        checksum /= 62;
    }
    key.extend(digits);
    key
}

/// The text of a file of so many keys.
fn file(keys: usize) -> String {
    let mut text = String::from("[");
    for n in 0..keys {
        let separator = if n == 0 { "" } else { ",\n" };
        let _ = write!(text, r#"{separator}{{"id": "{}", "hash": "sha256:"#, id(n));
        for byte in Sha256::digest(secret(n)) {
            let _ = write!(text, "{byte:02x}");
        }
        let claims = r#"{"plan": "gold", "scope": "orders:read orders:write"}"#;
        let _ = write!(text, r#"", "subject": "customer-{n}", "claims": {claims}}}"#);
    }
    text + "]"
}

fn read(text: &str) -> ApiKeys {
    match ApiKeys::read(&Arc::from("robots"), text) {
        Ok(keys) => keys,
        Err(mistakes) => unreachable!("{}", mistakes[0]),
    }
}

/// The memory of this process, in kilobytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn find(c: &mut Criterion) {
    let mut group = c.benchmark_group("api_key");
    group.bench_function("hash of the secret", |bench| {
        let secret = secret(7);
        bench.iter(|| Sha256::digest(black_box(&secret)));
    });
    for (name, count) in [("among 1,000", FEW), ("among 1,000,000", MANY)] {
        let text = file(count);
        let (before, begin) = (resident(), Instant::now());
        let keys = read(&text);
        eprintln!(
            "{count} keys, {} MB of text: read in {:?}, {} MB",
            text.len() / 1_000_000,
            begin.elapsed(),
            (resident() - before) / 1_000,
        );
        drop(text);
        let mut n = 0_usize;
        group.bench_function(name, |bench| {
            // So few are written at a time that what is presented is in the nearest cache, as what a request brings is.
            bench.iter_batched(
                || {
                    n = n.wrapping_add(7_919);
                    written(n.wrapping_mul(0x9e37_79b9) % count)
                },
                |key| keys.find(key.as_bytes(), None, 1_800_000_000).is_ok(),
                BatchSize::NumIterations(64),
            );
        });
    }
    group.finish();
}

criterion_group!(benches, find);
criterion_main!(benches);
