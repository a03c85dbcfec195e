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
    /// It names this key, or none, and there is no such key.
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

    /// Have the identity provider asked for the key of this name, or for any where there are none, if that is of use.
    fn ask(&self, kid: Option<&str>) -> Unknown {
        let name = kid.unwrap_or_default();
        if matches!(self.keys, Keys::Fixed(_)) || name.len() > LONGEST_NAME {
            return Unknown::Refuse;
        }
        let unknown = self.live.unknown.lock().meet(name, clock::now());
        if unknown == Unknown::Ask {
            let authenticator = self.authenticator.to_string();
            self.outbox.tell(Notice::UnknownKey { authenticator, kid: name.to_owned() });
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
