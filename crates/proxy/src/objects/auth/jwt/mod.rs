//! JSON Web Tokens.

mod keys;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde_json::Value;
use tidegate_core::auth::jwt::{Bounds, Genuine, Remembered, Rules, Token, Unknown};
use tidegate_core::auth::{Claims, Finding, Identity, Place, Refusal};
use tidegate_core::plan::{self, Issue};
use tokio::time::timeout;

use self::keys::Keys;
use super::live::{LiveAuthenticator, SuppliedKeys};
use super::{Examined, Presented, places};
use crate::account::outbox::{Notice, Outbox};
use crate::net::clock;
use crate::objects::random::random;

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

/// There is no key of the name that a token has; without the name: no key at all.
struct Keyless(Option<String>);

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
                    &random(),
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
        // Before keys and revocations are looked at: see `Remembered`.
        let (ambient, generation) = (place.is_ambient(), self.live.generation());
        match self.find(&token, ambient, generation, now) {
            Ok(finding) => Examined::Now(finding),
            Err(keyless) => {
                let (jwt, token) = (self.clone(), token.into_owned());
                Examined::Later(Box::pin(async move {
                    jwt.await_key(&token, ambient, keyless, generation).await
                }))
            }
        }
    }

    /// What it makes of a token, by what it remembers of this `generation` or by its keys.
    ///
    /// # Errors
    /// If there is no key to verify it with.
    fn find(
        &self,
        token: &[u8],
        ambient: bool,
        generation: u64,
        now: i64,
    ) -> Result<Finding, Keyless> {
        match self.remembered.find(token, generation, now) {
            Ok(identity) => Ok(Finding::Remembered { identity, ambient }),
            Err(miss) => self.verify(token, now, |Genuine { claims, until }| {
                let identity = self.identity(claims);
                self.remembered.put(miss, identity.clone(), until, now);
                Finding::Proven { identity, ambient }
            }),
        }
    }

    /// What it makes of a token by its keys: what is `proven` by one that is genuine.
    ///
    /// # Errors
    /// If there is no key to verify it with.
    fn verify(
        &self,
        token: &[u8],
        now: i64,
        proven: impl FnOnce(Genuine) -> Finding,
    ) -> Result<Finding, Keyless> {
        let token = match Token::read(token, &self.rules.bounds) {
            Ok(token) => token,
            Err(flaw) => return Ok(Finding::Refused(Refusal::Invalid(flaw))),
        };
        if !self.rules.concern(&token) {
            return Ok(Finding::OfAnother);
        }
        let supplied;
        let keys = match &self.keys {
            Keys::Fixed(keys) => keys,
            Keys::Supplied(source) => {
                supplied = self.live.keys(source).ok_or(Keyless(None))?;
                &supplied.set
            }
        };
        let kid = token.kid.clone();
        match self.rules.verify(token, keys, &self.live.revocations(), now) {
            Ok(genuine) => Ok(proven(genuine)),
            Err(Refusal::UnknownKey) => Err(Keyless(kid)),
            Err(refusal) => Ok(Finding::Refused(refusal)),
        }
    }

    /// Wait for a key that `token` needs, and verify it then. `generation` is that by which it was not there.
    async fn await_key(
        &self,
        token: &[u8],
        ambient: bool,
        Keyless(kid): Keyless,
        generation: u64,
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
        let found = self.find(token, ambient, self.live.generation(), clock::unix_seconds());
        found.unwrap_or_else(|Keyless(kid)| {
            if let (Some(kid), true) = (kid, is_answered) {
                self.live.unknown.lock().remember(&kid, clock::now());
            }
            Finding::Refused(self.keyless())
        })
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

    fn identity(&self, claims: Claims) -> Arc<Identity> {
        let subject = claims.all().get("sub").and_then(Value::as_str).map(Into::into);
        Arc::new(Identity { authenticator: self.authenticator.clone(), subject, claims })
    }

    /// What it makes of `token` just now; nothing is asked for and nothing remembered.
    pub(super) fn judge(&self, token: &[u8], now: i64) -> Finding {
        let found = self.verify(token, now, |Genuine { claims, .. }| Finding::Proven {
            identity: self.identity(claims),
            ambient: false,
        });
        found.unwrap_or_else(|_| Finding::Refused(self.keyless()))
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
