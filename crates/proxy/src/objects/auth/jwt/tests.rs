//! Tokens of an issuer whose keys come and go.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Request;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use serde_json::json;
use tokio::time::Instant;

use super::super::Later;
use super::super::live::LiveAuthenticators;
use super::*;
use crate::long_work::LongWork;

const ISSUER: &str = "https://id.test";

/// An issuer's keys, by their names.
struct Issuer(Vec<(&'static str, KeyPair)>);

impl Issuer {
    fn new(kids: &[&'static str]) -> Self {
        let key = |kid: &&'static str| (*kid, KeyPair::generate_for(&PKCS_ED25519).unwrap());
        Self(kids.iter().map(key).collect())
    }

    /// The first so many of its keys, as they are supplied.
    fn keys(&self, count: usize) -> Vec<u8> {
        let jwk = |(kid, key): &(&str, KeyPair)| {
            let x = BASE64_URL_SAFE_NO_PAD.encode(key.public_key_raw());
            json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x})
        };
        let keys: Vec<_> = self.0.iter().take(count).map(jwk).collect();
        let value = json!({"source": ISSUER, "fetched": 1, "jwks": {"keys": keys}});
        value.to_string().into_bytes()
    }

    /// A token of this subject that is signed with the last key.
    fn token(&self, subject: &str, issuer: &str) -> String {
        let (kid, key) = self.0.last().unwrap();
        let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
        let expires = clock::unix_seconds() + 60;
        let claims = json!({"iss": issuer, "sub": subject, "exp": expires}).to_string();
        let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        format!("{signed}.{}", encode(&key.sign(signed.as_bytes()).unwrap()))
    }
}

struct Stage {
    issuer: Issuer,
    live: Arc<LiveAuthenticator>,
    outbox: Arc<Outbox>,
    jwt: Arc<Jwt>,
}

impl Stage {
    fn new(kids: &[&'static str]) -> Self {
        let wanted = json!({
            "issuer": ISSUER, "audience": [], "algorithms": ["EdDSA"],
            "jwks": {"discover": true, "url": null, "file": null, "ca": null},
            "public_key": null, "secret": null, "secret_file": null,
            "from": [{"bearer": true, "header": null, "cookie": null, "query": null}],
            "leeway": 0, "typ": null, "require": ["exp"],
            "size": 8192, "depth": 8, "names": 100, "remember": 100,
        });
        let wanted: plan::Jwt = serde_json::from_value(wanted).unwrap();
        let (live, outbox) = (LiveAuthenticators::default().of("users").unwrap(), Arc::default());
        let jwt = Jwt::build("users", &wanted, "at", live.clone(), &outbox).unwrap();
        Self { issuer: Issuer::new(kids), live, outbox, jwt: Arc::new(jwt) }
    }

    fn supply(&self, keys: usize) {
        self.live.supply_keys(&self.issuer.keys(keys)).unwrap();
    }

    fn examine(&self, token: &str) -> Examined {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let (head, ()) = request.body(()).unwrap().into_parts();
        let now = clock::unix_seconds();
        let hashing = LongWork::default();
        self.jwt.examine(Presented {
            head: &head,
            address: None,
            scheme: "https",
            certificate: None,
            now,
            hashing: &hashing,
        })
    }

    fn found(&self, token: &str) -> Finding {
        match self.examine(token) {
            Examined::Now(finding) => finding,
            _ => panic!("it waits"),
        }
    }

    fn waits(&self, token: &str) -> Later {
        match self.examine(token) {
            Examined::Later(later) => later,
            _ => panic!("it is found at once"),
        }
    }

    /// How often the identity provider was to be asked.
    fn asked(&self) -> usize {
        self.outbox.wait(Duration::ZERO).unwrap().len()
    }
}

fn subject(finding: &Finding) -> (&str, bool) {
    match finding {
        Finding::Proven { identity, .. } => (identity.subject.as_deref().unwrap(), false),
        Finding::Remembered { identity, .. } => (identity.subject.as_deref().unwrap(), true),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_is_verified_once_and_then_remembered_until_keys_or_revocations_change() {
    let stage = Stage::new(&["a"]);
    stage.supply(1);
    let token = stage.issuer.token("alice", ISSUER);
    assert_eq!(subject(&stage.found(&token)), ("alice", false));
    assert_eq!(subject(&stage.found(&token)), ("alice", true));
    stage.supply(1);
    assert_eq!(subject(&stage.found(&token)), ("alice", true), "the keys are the same");
    let revoked = json!([{"revoked": "subject", "name": "bob", "until": i64::MAX}]);
    stage.live.supply_revocations(serde_json::from_value(revoked).unwrap()).unwrap();
    assert_eq!(subject(&stage.found(&token)), ("alice", false));
    assert_eq!(stage.found(&stage.issuer.token("bob", ISSUER)), Finding::Refused(Refusal::Revoked));
}

#[test]
fn a_token_of_another_issuer_is_for_another_authenticator() {
    let stage = Stage::new(&["a"]);
    stage.supply(1);
    let token = stage.issuer.token("alice", "https://other.test");
    assert_eq!(stage.found(&token), Finding::OfAnother);
    let malformed = Finding::Refused(Refusal::Invalid("the token has less than three parts"));
    assert_eq!(stage.found("nonsense"), malformed);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_key_that_its_token_names() {
    let stage = Stage::new(&["a", "b"]);
    stage.supply(1);
    let token = stage.issuer.token("alice", ISSUER);
    let (one, other) = (stage.waits(&token), stage.waits(&token));
    let supplied = async {
        tokio::task::yield_now().await;
        stage.supply(2);
    };
    let (one, other, ()) = tokio::join!(one, other, supplied);
    assert_eq!(subject(&one), ("alice", false));
    assert_eq!(subject(&other), ("alice", true));
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_come_is_waited_for_half_a_second() {
    let stage = Stage::new(&["a", "b"]);
    stage.supply(1);
    let began = Instant::now();
    let later = stage.waits(&stage.issuer.token("alice", ISSUER));
    assert_eq!(later.await, Finding::Refused(Refusal::UnknownKey));
    assert_eq!(began.elapsed(), PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_issuer_does_not_have_is_asked_for_once() {
    let stage = Stage::new(&["a", "b"]);
    stage.supply(1);
    let token = stage.issuer.token("alice", ISSUER);
    let supplied = async {
        tokio::task::yield_now().await;
        stage.supply(1);
    };
    let (found, ()) = tokio::join!(stage.waits(&token), supplied);
    assert_eq!(found, Finding::Refused(Refusal::UnknownKey));
    tokio::time::advance(Duration::from_secs(60)).await;
    let began = Instant::now();
    assert_eq!(stage.waits(&token).await, Finding::Refused(Refusal::UnknownKey));
    assert_eq!((began.elapsed(), stage.asked()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_nothing_is_known_of_a_token() {
    let stage = Stage::new(&["a"]);
    let token = stage.issuer.token("alice", ISSUER);
    assert_eq!(stage.waits(&token).await, Finding::Refused(Refusal::Unavailable));
    let elsewhere = String::from_utf8(stage.issuer.keys(1)).unwrap();
    let elsewhere = elsewhere.replace(ISSUER, "https://other.test");
    stage.live.supply_keys(elsewhere.as_bytes()).unwrap();
    assert_eq!(stage.waits(&token).await, Finding::Refused(Refusal::Unavailable));
    stage.supply(1);
    assert_eq!(subject(&stage.found(&token)), ("alice", false));
}
