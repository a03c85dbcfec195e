//! Tokens that are over before their time.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What tokens are not believed any more: those of this id, subject or session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revoked {
    /// The token whose id (`jti`) this is.
    Token,
    /// All tokens of this subject (`sub`).
    Subject,
    /// All tokens of this session (`sid`, OpenID Connect Front-Channel Logout §3).
    Session,
}

impl Revoked {
    const ALL: [Self; 3] = [Self::Token, Self::Subject, Self::Session];

    fn claim(self) -> &'static str {
        match self {
            Self::Token => "jti",
            Self::Subject => "sub",
            Self::Session => "sid",
        }
    }
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// What is revoked.
    pub revoked: Revoked,
    /// Its name, as the claim has it.
    pub name: Box<str>,
    /// Seconds since 1970 from which it does not hold any more: when the last of the tokens has expired.
    pub until: i64,
}

/// The revocations of an authenticator.
#[derive(Debug, Clone, Default)]
pub struct Revocations([HashMap<Box<str>, i64>; 3]);

impl Revocations {
    /// Revocations that an authenticator has at the most.
    pub const MOST: usize = 100_000;

    /// All that hold.
    pub fn new(revocations: impl IntoIterator<Item = Revocation>) -> Self {
        let mut all = Self::default();
        for Revocation { revoked, name, until } in revocations {
            let longest = all.0[revoked as usize].entry(name).or_insert(until);
            *longest = until.max(*longest);
        }
        all
    }

    /// Whether a token with these claims is revoked. `now` is in seconds since 1970.
    pub(super) fn hold(&self, claims: &Map<String, Value>, now: i64) -> bool {
        Revoked::ALL.into_iter().any(|revoked| {
            let names = &self.0[revoked as usize];
            let until = || match claims.get(revoked.claim())? {
                Value::String(name) => names.get(name.as_str()),
                // Some providers number their sessions.
                Value::Number(number) => names.get(number.to_string().as_str()),
                _ => None,
            };
            !names.is_empty() && until().is_some_and(|until| now < *until)
        })
    }
}
