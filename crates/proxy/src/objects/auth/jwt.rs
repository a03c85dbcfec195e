//! Authentication by JSON Web Tokens.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::auth::jwt::{
    Bounds, Genuine, Key, KeySet, Miss, Remembered, Rules, Token, Unknown,
};
use tidegate_core::auth::{Finding, Identity, Refusal};
use tidegate_core::plan::{self, Issue};
use tokio::time::{Instant, timeout_at};

use super::live::{LiveToken, SuppliedKeys};
use crate::account::outbox::{Notice, Outbox};
use crate::net::clock;

/// How long a request waits for a key that its token names and that is not there.
const PATIENCE: Duration = Duration::from_millis(500);

/// Names of keys that are longer are not asked for.
const LONGEST_NAME: usize = 256;

/// Believes tokens of one issuer.
#[derive(Debug)]
pub struct Jwt {
    authenticator: Arc<str>,
    rules: Rules,
    keys: Keys,
    live: Arc<LiveToken>,
    remembered: Remembered,
    outbox: Arc<Outbox>,
}

/// Where its keys are.
#[derive(Debug)]
enum Keys {
    /// In the configuration.
    Fixed(KeySet),
    /// With an identity provider, of this name in what is supplied.
    Supplied(String),
}

impl Jwt {
    /// What becomes of a request with this token.
    pub fn examine(&self, token: Vec<u8>) -> Examined<'_> {
        let now = unix_seconds();
        let generation = self.live.generation();
        let miss = match self.remembered.find(&token, generation, now) {
            Ok(identity) => return Examined::Now(Finding::Proven(identity)),
            Err(miss) => miss,
        };
        match self.verify(&token, now) {
            Err(Unbelieved { refusal: Refusal::UnknownKey | Refusal::Unavailable, kid }) => {
                Examined::Later(Box::pin(self.wait(token, kid, generation)))
            }
            Err(Unbelieved { refusal, .. }) => Examined::Now(Finding::Refused(refusal)),
            Ok(genuine) => Examined::Now(Finding::Proven(self.remember(miss, genuine, now))),
        }
    }

    fn verify(&self, token: &[u8], now: i64) -> Result<Genuine, Unbelieved> {
        let token = Token::read(token, &self.rules.bounds)
            .map_err(|flaw| Unbelieved { refusal: Refusal::Invalid(flaw), kid: None })?;
        let kid = token.kid.clone();
        let verified = match &self.keys {
            Keys::Fixed(keys) => self.rules.verify(token, keys, &self.live.revocations(), now),
            Keys::Supplied(source) => match self.live.keys(source) {
                Some(keys) => self.rules.verify(token, &keys.set, &self.live.revocations(), now),
                None => Err(Refusal::Unavailable),
            },
        };
        verified.map_err(|refusal| Unbelieved { refusal, kid })
    }

    /// Wait for the key that `token` names, and verify it then. What was known so far was that of `generation`.
    async fn wait(&self, token: Vec<u8>, kid: Option<String>, generation: u64) -> Finding {
        let deadline = Instant::now() + PATIENCE;
        let mut supplied = pin!(self.live.supplied.notified());
        // From here on no supply is missed.
        supplied.as_mut().enable();
        let asked = match &kid {
            Some(kid) if kid.len() <= LONGEST_NAME => self.ask(kid),
            _ => Unknown::Refuse,
        };
        let is_answered = match asked {
            Unknown::Refuse => self.live.generation() != generation,
            Unknown::Wait | Unknown::Ask => timeout_at(deadline, supplied).await.is_ok(),
        };
        todo!()
    }
