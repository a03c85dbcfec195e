//! The keys of an issuer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::Jwk;
use super::{Algorithm, Key};

/// Keys that a set has at the most.
const MOST: usize = 256;

/// Keys that a token without a name for its key is tried with, so that it costs no more than so many verifications.
const TRIED: usize = 8;

/// The keys of an issuer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeySet(Vec<Key>);

/// A key of a set that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// Its name.
    pub kid: Option<String>,
    /// Why.
    pub reason: String,
}

impl From<Vec<Key>> for KeySet {
    fn from(keys: Vec<Key>) -> Self {
        Self(keys)
    }
}

impl KeySet {
    /// The keys of a JSON Web Key Set (RFC 7517 §5), and those of it that are left out.
    ///
    /// # Errors
    /// If it is no such set or has no key that is of use.
    pub fn from_jwks(jwks: &Value) -> Result<(Self, Vec<Unusable>), String> {
        let Some(Value::Array(members)) = jwks.get("keys") else {
            return Err("it is no JSON Web Key Set: it has no list `keys`".into());
        };
        if members.len() > MOST {
            return Err(format!("a key set has at most {MOST} keys, not {}", members.len()));
        }
        let (mut keys, mut left_out) = (Vec::new(), Vec::new());
        for member in members {
            let kid = member.get("kid").and_then(Value::as_str).map(str::to_owned);
            let key = Jwk::deserialize(member)
                .map_err(|error| error.to_string())
                .and_then(|jwk| Key::from_jwk(jwk).map_err(str::to_owned));
            match key {
                Ok(key) => keys.push(key),
                Err(reason) => left_out.push(Unusable { kid, reason }),
            }
        }
        if keys.is_empty() {
            let reasons: Vec<_> = left_out.iter().map(|key| key.reason.as_str()).collect();
            let why = if reasons.is_empty() { "it is empty" } else { &*reasons.join("; ") };
            return Err(format!("the key set has no key to verify with: {why}"));
        }
        Ok((Self(keys), left_out))
    }

    /// The public keys of a file in PEM, one or more.
    ///
    /// # Errors
    /// Why one of them is of no use.
    pub fn from_pem(text: &str) -> Result<Self, &'static str> {
        const BEGIN: &str = "-----BEGIN";
        let blocks = text.split(BEGIN).skip(1).map(|block| Key::pem(&format!("{BEGIN}{block}")));
        let keys = blocks.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err("it is no key in PEM") } else { Ok(Self(keys)) }
    }

    /// The names of its keys; `None` for one without.
    pub fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.iter().map(|key| key.kid.as_deref())
    }

    /// Whether a key of this name is in it, or one without a name, which may be any token's.
    pub fn knows(&self, kid: &str) -> bool {
        self.names().any(|own| own.is_none_or(|own| own == kid))
    }

    /// The keys that may be those of a token that names `kid` and is signed with `algorithm`.
    pub(super) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| key.fits(kid, algorithm)).take(TRIED)
    }
}
