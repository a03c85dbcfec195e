//! What it costs to know who a request is from, beside what OpenSSL needs for the same signatures.
//!
//! `cargo bench -p tidegate-core --bench auth`
//!
//! Times are those on the CPU, as OpenSSL gives them: what else the machine does does not count.
#![allow(missing_docs)]

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidegate_core::auth::jwt::{Algorithm, Bounds, KeySet, Remembered, Revocations, Rules, Token};
use tidegate_core::auth::{Claims, Identity};

const NOW: i64 = 1_800_000_000;
const BOUNDS: Bounds = Bounds { size: 8_192, depth: 8, names: 100 };
const ALGORITHMS: [(Algorithm, &str); 3] =
    [(Algorithm::Rs256, "rsa2048"), (Algorithm::Es256, "ecdsap256"), (Algorithm::EdDsa, "ed25519")];

fn key(algorithm: Algorithm) -> Result<EncodingKey, Box<dyn Error>> {
    let random = SystemRandom::new();
    Ok(match algorithm {
        Algorithm::Rs256 => {
            let pair = rsa::KeyPair::generate(KeySize::Rsa2048)?;
            let der: Pkcs8V1Der = pair.as_der()?;
            let text = STANDARD.encode(der.as_ref());
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
            EncodingKey::from_rsa_pem(pem.as_bytes())?
        }
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
            EncodingKey::from_ec_der(pair.as_ref())
        }
        _ => EncodingKey::from_ed_der(Ed25519KeyPair::generate_pkcs8v1(&random)?.as_ref()),
    })
}

/// Claims of the size that identity providers make them: about 600 bytes.
fn claims() -> Value {
    json!({
        "iss": "https://id.example.com/realms/main", "aud": ["api", "account"], "exp": NOW + 300,
        "iat": NOW, "nbf": NOW, "jti": "b4a1e9a6-0bd2-4c7b-9a5e-3d9c4c9e8b11", "sub":
        "5f0c7c1e-8a57-4d0a-9b0e-0f2f6e0a3c77", "typ": "Bearer", "azp": "web", "sid":
        "0d8f6d0e-2b68-4f7e-8e0c-7b1a5f9d2c44", "scope": "openid profile email orders:read",
        "realm_access": {"roles": ["offline_access", "uma_authorization", "customer"]},
        "email": "alice@example.com", "email_verified": true, "preferred_username": "alice",
    })
}

/// A token and the keys that verify it.
fn token(algorithm: Algorithm) -> Result<(String, KeySet), Box<dyn Error>> {
    let key = key(algorithm)?;
    let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let header = json!({"alg": algorithm, "kid": "2026-11", "typ": "JWT"});
    let signed = format!("{}.{}", encode(header), encode(claims()));
    let signature = sign(signed.as_bytes(), &key, algorithm.into())?;
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm.into())?)?;
    jwk["kid"] = json!("2026-11");
    let (keys, _) = KeySet::from_jwks(&json!({"keys": [jwk]}))?;
    Ok((format!("{signed}.{signature}"), keys))
}

fn rules(algorithm: Algorithm) -> Rules {
    Rules {
        issuer: Some("https://id.example.com/realms/main".into()),
        audience: vec!["api".into()],
        algorithms: vec![algorithm],
        leeway: 30,
        typ: None,
        require: vec!["exp".into()],
        bounds: BOUNDS,
    }
}

/// How long this thread was on a CPU (proc(5), `schedstat`).
fn on_cpu() -> Duration {
    let told = std::fs::read("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos =
        String::from_utf8_lossy(&told).split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

fn time<T>(bencher: &mut Bencher<'_>, mut work: impl FnMut() -> T) {
    bencher.iter_custom(|times| {
        let before = on_cpu();
        (0..times).for_each(|_| drop(black_box(work())));
        on_cpu() - before
    });
}

/// Seconds that OpenSSL needs for a verification.
fn openssl(name: &str) -> Option<f64> {
    let ran =
        Command::new("openssl").args(["speed", "-mr", "-seconds", "2", name]).output().ok()?;
    let text = String::from_utf8(ran.stdout).ok()?;
    // `+F2:`, `+F4:` or `+F6:`, a number, bits, perhaps a name, signatures and verifications a second.
    let line = text.lines().find(|line| line.starts_with("+F"))?;
    line.rsplit(':').next()?.parse().ok().map(f64::recip)
}

fn verified(criterion: &mut Criterion) {
    for (algorithm, name) in ALGORITHMS {
        let (token, keys) = match token(algorithm) {
            Ok(made) => made,
            Err(error) => unreachable!("{error}"),
        };
        let (rules, revocations) = (rules(algorithm), Revocations::default());
        let told = openssl(name).map_or("no openssl here".into(), |seconds| {
            format!("openssl speed {name}: {:.2} µs a verification", seconds * 1e6)
        });
        // A figure that is not had is no reason to stop.
        let _ = writeln!(std::io::stdout(), "{told}");
        criterion.bench_function(&format!("verified/{algorithm:?}"), |bencher| {
            time(bencher, || {
                let token = Token::read(black_box(token.as_bytes()), &BOUNDS);
                token.map(|token| rules.verify(token, &keys, &revocations, NOW).is_ok())
            });
        });
        criterion.bench_function(&format!("read/{algorithm:?}"), |bencher| {
            time(bencher, || Token::read(black_box(token.as_bytes()), &BOUNDS).is_ok());
        });
    }
}

/// A token of about the size that identity providers make them, which says its number in so many digits.
const DIGITS: std::ops::Range<usize> = 400..408;

fn number_in(token: &mut [u8], number: usize) {
    token[DIGITS].copy_from_slice(format!("{number:08}").as_bytes());
}

/// One of a full table. The token itself is in the caches, as one is that was just received; what is remembered of it
/// may not be.
fn remembered(criterion: &mut Criterion) {
    const TOKENS: usize = 10_000;
    let room = NonZeroUsize::new(TOKENS).unwrap_or(NonZeroUsize::MIN);
    let table = Remembered::new(room, b"0123456789abcdef");
    let mut token = vec![b'x'; 900];
    for number in 0..TOKENS {
        number_in(&mut token, number);
        if let Err(miss) = table.find(&token, 1, NOW) {
            let claims = claims().as_object().cloned().unwrap_or_default();
            let claims = Claims::new(claims);
            let identity = Identity { authenticator: "users".into(), subject: None, claims };
            table.put(miss, Arc::new(identity), NOW + 300, NOW);
        }
    }
    criterion.bench_function("remembered/its hash alone", |bencher| {
        time(bencher, || Sha256::digest(black_box(&token)));
    });
    let mut next = 0;
    criterion.bench_function("remembered/one of 10000, 900 bytes", |bencher| {
        time(bencher, || {
            next = (next + 7_919) % TOKENS;
            number_in(&mut token, next);
            table.find(black_box(&token), 1, NOW).is_ok()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = remembered, verified
}
criterion_main!(benches);
