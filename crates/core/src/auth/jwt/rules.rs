//! What an authenticator asks of a token.

use serde_json::{Map, Value};

use super::{Algorithm, Bounds, KeySet, Revocations, Token};
use crate::auth::{Claims, Refusal};

/// Seconds for which a token that never expires is remembered.
const HOUR: i64 = 3_600;

/// What must be true of a token, whatever its keys are.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Who must have issued it (`iss`).
    pub issuer: Option<Box<str>>,
    /// For whom it may be (`aud`): one of these. A token that is for anyone at all is for none of no names (RFC 7519
    /// §4.1.3).
    pub audience: Vec<Box<str>>,
    /// The algorithms that it may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// Seconds by which clocks may differ.
    pub leeway: i64,
    /// The kind that it must be of, as `at+jwt` (RFC 9068 §4).
    pub typ: Option<Box<str>>,
    /// Claims that it must make.
    pub require: Vec<Box<str>>,
    /// What is read of it.
    pub bounds: Bounds,
}

/// A token that is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Genuine {
    /// What it says.
    pub claims: Claims,
    /// Seconds since 1970 until which it may be believed without another look.
    pub until: i64,
}

impl Rules {
    /// Whether `token` says that it is of the issuer.
    pub fn concern(&self, token: &Token<'_>) -> bool {
        match &self.issuer {
            Some(issuer) => token.claims.get("iss").and_then(Value::as_str) == Some(issuer),
            None => true,
        }
    }

    /// Believe `token` or say why not. `now` is in seconds since 1970.
    ///
    /// Its signature is looked at before its claims: what is refused as expired was genuine once.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(
        &self,
        token: Token<'_>,
        keys: &KeySet,
        revocations: &Revocations,
        now: i64,
    ) -> Result<Genuine, Refusal> {
        if !self.concern(&token) {
            return Err(Refusal::Invalid("the token is of another issuer"));
        }
        if !self.algorithms.contains(&token.algorithm) {
            return Err(Refusal::Invalid(
                "the token is signed with an algorithm that is not allowed",
            ));
        }
        check_signature(&token, keys)?;
        if !self.is_of_kind(token.typ.as_deref()) {
            return Err(Refusal::Invalid("the token is of another kind (`typ`)"));
        }
        let until = self.judge(&token.claims, now)?;
        if revocations.hold(&token.claims, now) {
            return Err(Refusal::Revoked);
        }
        Ok(Genuine { claims: Claims::new(token.claims), until })
    }

    /// Media types are compared whatever their case, and without `application/` (RFC 7515 §4.1.9).
    fn is_of_kind(&self, typ: Option<&str>) -> bool {
        let short = |typ: &str| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
        };
        self.typ.as_deref().is_none_or(|own| typ.is_some_and(|typ| short(typ) == short(own)))
    }

    fn judge(&self, claims: &Map<String, Value>, now: i64) -> Result<i64, Refusal> {
        let is_missing = |name: &str| claims.get(name).is_none_or(Value::is_null);
        if self.require.iter().any(|name| is_missing(name)) {
            return Err(Refusal::Invalid("a claim that must be there is missing"));
        }
        if !self.is_for(claims.get("aud")) {
            return Err(Refusal::Invalid("the token is for another audience"));
        }
        if claims.get("sub").is_some_and(|sub| !sub.is_string()) {
            return Err(Refusal::Invalid("the subject of the token is no text"));
        }
        let latest = (now.saturating_add(self.leeway)) as f64;
        for name in ["nbf", "iat"] {
            if time(claims, name)?.is_some_and(|begin| begin > latest) {
                return Err(Refusal::Invalid("the token is not valid yet"));
            }
        }
        let Some(expires) = time(claims, "exp")? else { return Ok(now.saturating_add(HOUR)) };
        // A number too large for the type is its greatest.
        let until = (expires.ceil() as i64).saturating_add(self.leeway);
        if now >= until { Err(Refusal::Expired) } else { Ok(until) }
    }

    fn is_for(&self, audience: Option<&Value>) -> bool {
        let is_ours = |name: &Value| self.audience.iter().any(|own| name.as_str() == Some(own));
        match audience {
            None => self.audience.is_empty(),
            Some(Value::Array(names)) => names.iter().any(is_ours),
            Some(name) => is_ours(name),
        }
    }
}

fn check_signature(token: &Token<'_>, keys: &KeySet) -> Result<(), Refusal> {
    let mut candidates = keys.candidates(token.kid.as_deref(), token.algorithm).peekable();
    if candidates.peek().is_none() {
        return Err(match &token.kid {
            Some(kid) if keys.knows(kid) => {
                Refusal::Invalid("the token is signed with another algorithm than its key is for")
            }
            Some(_) => Refusal::UnknownKey,
            None => Refusal::Invalid("no key is for the algorithm that the token is signed with"),
        });
    }
    if candidates.any(|key| key.verifies(token)) {
        Ok(())
    } else {
        Err(Refusal::Invalid("the signature is wrong"))
    }
}

/// A date in seconds since 1970 (RFC 7519 §2, `NumericDate`).
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(seconds)) => Ok(seconds.as_f64()),
        Some(_) => Err(Refusal::Invalid("a time of the token (`exp`, `nbf`, `iat`) is no number")),
    }
}
