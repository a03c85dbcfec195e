//! JSON Web Tokens.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use serde_json::Value;
use tidegate_core::auth::jwt::{
    Bounds, Genuine, Key, KeySet, Miss, Remembered, Rules, Token, Unknown,
};
use tidegate_core::auth::{Claims, Finding, Identity, Place, Refusal};
use tidegate_core::plan::{self, Issue};
use tokio::time::timeout;

use super::live::{LiveAuthenticator, SuppliedKeys};
use super::{Examined, Presented, places};
use crate::account::outbox::{Notice, Outbox};
use crate::net::clock;

/// How long a request waits for a key that its token names and that is not there.
const PATIENCE: Duration = Duration::from_millis(500);

/// Bytes of a key's name that is asked for.
const LONGEST_NAME: usize = 256;

/// Believes the tokens of an issuer.
#[derive(Debug)]
pub(super) struct Jwt {
    authenticator: Arc<str>,
    rules: Rules,
    keys: Keys,
    places: Box<[Place]>,
    live: Arc<LiveAuthenticator>,
    remembered: Remembered,
    outbox: Arc<Outbox>,
}

/// Where its keys are.
#[derive(Debug)]
enum Keys {
    /// In the configuration.
    Fixed(KeySet),
    /// With an identity provider; what is supplied says that it is from there.
    Supplied(Box<str>),
}

/// What is made of a token.
enum Verified {
    Genuine(Genuine),
    OfAnother,
    Refused(Refusal),
    /// There is no key of the name that it has; without the name: no key at all.
    Keyless(Option<String>),
}

impl Jwt {
    /// That of the authenticator `name`, whose option stands at `at`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn build(
        name: &str,
        wanted: &plan::Jwt,
        at: &str,
        live: Arc<LiveAuthenticator>,
        outbox: &Arc<Outbox>,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let places = places(&wanted.from, &format!("{at}.from"), &mut issues);
        let keys = Keys::build(wanted, at).map_err(|issue| issues.push(issue));
        match (keys, issues.is_empty()) {
            (Ok(keys), true) => Ok(Self {
                authenticator: name.into(),
                rules: rules(wanted),
                keys,
                places,
                live,
                remembered: Remembered::new(
                    NonZeroUsize::new(wanted.remember.get() as usize).unwrap_or(NonZeroUsize::MIN),
                ),
                outbox: outbox.clone(),
            }),
            _ => Err(issues),
        }
    }

    pub(super) fn examine(self: &Arc<Self>, presented: Presented<'_>) -> Examined {
        let Presented { head, now, .. } = presented;
        let found = self.places.iter().find_map(|place| Some((place, place.find(head)?)));
        let Some((place, token)) = found else { return Examined::Now(Finding::Absent) };
        let ambient = place.is_ambient();
        // Before keys and revocations are looked at: see `Remembered`.
        let generation = self.live.generation();
        let miss = match self.remembered.find(&token, generation, now) {
            Ok(identity) => return Examined::Now(Finding::Remembered { identity, ambient }),
            Err(miss) => miss,
        };
        match self.verify(&token, now) {
            Verified::Genuine(genuine) => Examined::Now(Finding::Proven {
                identity: self.remember(miss, genuine, now),
                ambient,
            }),
            Verified::OfAnother => Examined::Now(Finding::OfAnother),
            Verified::Refused(refusal) => Examined::Now(Finding::Refused(refusal)),
            Verified::Keyless(kid) => {
                let (jwt, token) = (self.clone(), token.into_owned());
                Examined::Later(Box::pin(async move {
                    jwt.await_key(token, kid, generation, ambient).await
                }))
            }
        }
    }

    fn verify(&self, token: &[u8], now: i64) -> Verified {
        let token = match Token::read(token, &self.rules.bounds) {
            Ok(token) => token,
            Err(flaw) => return Verified::Refused(Refusal::Invalid(flaw)),
        };
        if !self.rules.concern(&token) {
            return Verified::OfAnother;
        }
        let supplied;
        let keys = match &self.keys {
            Keys::Fixed(keys) => keys,
            Keys::Supplied(source) => match self.live.keys(source) {
                Some(keys) => {
                    supplied = keys;
                    &supplied.set
                }
                None => return Verified::Keyless(None),
            },
        };
        let kid = token.kid.clone();
        match self.rules.verify(token, keys, &self.live.revocations(), now) {
            Ok(genuine) => Verified::Genuine(genuine),
            Err(Refusal::UnknownKey) => Verified::Keyless(kid),
            Err(refusal) => Verified::Refused(refusal),
        }
    }

    /// Wait for a key that `token` needs, and verify it then. `generation` is that by which it was not there.
    async fn await_key(
        &self,
        token: Vec<u8>,
        kid: Option<String>,
        generation: u64,
        ambient: bool,
    ) -> Finding {
        let mut supplied = pin!(self.live.supplied.notified());
        // From here on no supply is missed.
        supplied.as_mut().enable();
        let is_answered = match self.ask(kid.as_deref()) {
            // Unless keys came between the look at them and this.
            Unknown::Refuse if self.live.generation() == generation => {
                return Finding::Refused(self.keyless());
            }
            Unknown::Refuse => true,
            Unknown::Ask | Unknown::Wait => timeout(PATIENCE, supplied).await.is_ok(),
        };
        let now = clock::unix_seconds();
        let miss = match self.remembered.find(&token, self.live.generation(), now) {
            Ok(identity) => return Finding::Remembered { identity, ambient },
            Err(miss) => miss,
        };
        match self.verify(&token, now) {
            Verified::Genuine(genuine) => {
                Finding::Proven { identity: self.remember(miss, genuine, now), ambient }
            }
            Verified::OfAnother => Finding::OfAnother,
            Verified::Refused(refusal) => Finding::Refused(refusal),
            Verified::Keyless(kid) => {
                if let (Some(kid), true) = (kid, is_answered) {
                    self.live.unknown.lock().remember(&kid, clock::now());
                }
                Finding::Refused(self.keyless())
            }
        }
    }

    /// Have the identity provider asked for the key of this name, if that is of use. Where there are no keys at all it
    /// is asked without that.
    fn ask(&self, kid: Option<&str>) -> Unknown {
        let Some(kid) = kid else { return Unknown::Wait };
        if matches!(self.keys, Keys::Fixed(_)) || kid.len() > LONGEST_NAME {
            return Unknown::Refuse;
        }
        let unknown = self.live.unknown.lock().meet(kid, clock::now());
        if unknown == Unknown::Ask {
            let (authenticator, kid) = (self.authenticator.to_string(), kid.to_owned());
            self.outbox.tell(Notice::UnknownKey { authenticator, kid });
        }
        unknown
    }

    /// Why a token without a key is refused.
    fn keyless(&self) -> Refusal {
        match &self.keys {
            Keys::Supplied(source) if self.live.keys(source).is_none() => Refusal::Unavailable,
            _ => Refusal::UnknownKey,
        }
    }

    fn remember(&self, miss: Miss, genuine: Genuine, now: i64) -> Arc<Identity> {
        let Genuine { claims, until } = genuine;
        let identity = self.identity(claims);
        self.remembered.put(miss, identity.clone(), until, now);
        identity
    }

    fn identity(&self, claims: Claims) -> Arc<Identity> {
        let subject = claims.all().get("sub").and_then(Value::as_str).map(Into::into);
        Arc::new(Identity { authenticator: self.authenticator.clone(), subject, claims })
    }

    /// What it makes of `token` just now; nothing is asked for and nothing remembered.
    pub(super) fn judge(&self, token: &[u8], now: i64) -> Finding {
        match self.verify(token, now) {
            Verified::Genuine(Genuine { claims, .. }) => {
                Finding::Proven { identity: self.identity(claims), ambient: false }
            }
            Verified::OfAnother => Finding::OfAnother,
            Verified::Refused(refusal) => Finding::Refused(refusal),
            Verified::Keyless(_) => Finding::Refused(self.keyless()),
        }
    }

    /// The keys that it has from an identity provider.
    pub(super) fn supplied(&self) -> Option<Arc<SuppliedKeys>> {
        match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Supplied(source) => self.live.keys(source),
        }
    }

    pub(super) const fn places(&self) -> &[Place] {
        &self.places
    }
}

/// How clients are asked for a token (RFC 6750 §3).
pub(super) static CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer");

impl Keys {
    fn build(wanted: &plan::Jwt, at: &str) -> Result<Self, Issue> {
        let issue = |option: &str, wrong: &str| Issue::new(format!("{at}.{option}"), wrong);
        let plan::Jwt { issuer, jwks, public_key, secret, secret_file, .. } = wanted;
        if let Some(pem) = public_key {
            let keys = KeySet::from_pem(pem);
            return keys.map(Self::Fixed).map_err(|wrong| issue("public_key", wrong));
        }
        if let Some(secret) = secret {
            let key = Key::secret(secret.expose().as_bytes());
            return key.map(Self::shared).map_err(|wrong| issue("secret", wrong));
        }
        if let Some(secret) = secret_file {
            let key = BASE64_STANDARD.decode(secret.expose()).map_err(|_| "expected base64");
            let key = key.and_then(|secret| Key::secret(&secret));
            return key.map(Self::shared).map_err(|wrong| issue("secret_file", wrong));
        }
        let jwks = jwks.as_ref().ok_or_else(|| Issue::new(at, "expected keys"))?;
        if let Some(file) = &jwks.file {
            let keys = serde_json::from_str(file).map_err(|error| error.to_string());
            let keys = keys.and_then(|jwks| KeySet::from_jwks(&jwks));
            return keys
                .map(|(keys, _)| Self::Fixed(keys))
                .map_err(|wrong| issue("jwks.file", &wrong));
        }
        let source = jwks.url.as_ref().or(issuer.as_ref());
        let source = source.ok_or_else(|| issue("issuer", "expected the issuer to discover"))?;
        Ok(Self::Supplied(source.as_str().into()))
    }

    fn shared(key: Key) -> Self {
        Self::Fixed(vec![key].into())
    }
}

fn rules(wanted: &plan::Jwt) -> Rules {
    let texts = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
    Rules {
        issuer: wanted.issuer.as_deref().map(Into::into),
        audience: texts(&wanted.audience),
        algorithms: wanted.algorithms.clone(),
        leeway: i64::try_from(wanted.leeway.duration().as_secs()).unwrap_or(i64::MAX),
        typ: wanted.typ.as_deref().map(Into::into),
        require: texts(&wanted.require),
        bounds: Bounds {
            size: wanted.size.bytes(),
            depth: wanted.depth.get() as usize,
            names: wanted.names.get() as usize,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
                let x = URL_SAFE_NO_PAD.encode(key.public_key_raw());
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
            let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
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
            let (live, outbox) =
                (LiveAuthenticators::default().of("users").unwrap(), Arc::default());
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
        assert_eq!(
            stage.found(&stage.issuer.token("bob", ISSUER)),
            Finding::Refused(Refusal::Revoked)
        );
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
}
