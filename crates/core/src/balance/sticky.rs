//! Sticky sessions: a cookie that names the client's endpoint.
//!
//! The cookie is an HMAC-SHA256 (RFC 2104) of the upstream's name and the endpoint's address under the
//! gateway's secret, cut to 192 bits. The first 64 bits find the endpoint, the others prove that the
//! gateway made it; they are compared in constant time. So it is a name and its signature at once: it
//! says nothing about the address without the secret, it cannot be made up, it does not
//! depend on the endpoint's place in the list, and every gateway with the same secret knows it. All
//! cookies are computed when the configuration is loaded; a request costs one look-up.

use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::plan::{self, SameSite};

const NAME: usize = 8;
const LENGTH: usize = 24;

type Token = [u8; LENGTH];

/// The cookies of one upstream.
pub struct Sticky {
    cookie: String,
    attributes: String,
    /// By endpoint.
    tokens: Vec<Token>,
    /// Endpoints by the first part of their token.
    by_name: HashMap<[u8; NAME], usize>,
}

impl Sticky {
    /// The cookies for the endpoints of `upstream`; `secret` is used where the plan has none.
    pub fn new(plan: &plan::Sticky, upstream: &plan::Upstream, secret: &[u8]) -> Self {
        let secret = plan.secret.as_ref().map_or(secret, |secret| secret.expose().as_bytes());
        let mac = keyed(secret);
        let tokens: Vec<Token> = upstream
            .endpoints
            .iter()
            .map(|endpoint| token(mac.clone(), &upstream.name, &endpoint.address))
            .collect();
        let by_name =
            tokens.iter().enumerate().map(|(index, token)| (name(token), index)).collect();
        Self { cookie: plan.cookie.clone(), attributes: attributes(plan), tokens, by_name }
    }

    /// Name of the cookie.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The endpoint that a cookie's value names; `None` for one that is gone, and for what this gateway
    /// did not make.
    pub fn endpoint(&self, value: &[u8]) -> Option<usize> {
        let mut given: Token = [0; LENGTH];
        let length = URL_SAFE_NO_PAD.decode_slice(value, &mut given).ok()?;
        let endpoint = *self.by_name.get(&name(&given))?;
        let same = length == LENGTH && bool::from(given.ct_eq(&self.tokens[endpoint]));
        same.then_some(endpoint)
    }

    /// The `Set-Cookie` (RFC 6265 §4.1) that names `endpoint`.
    pub fn set_cookie(&self, endpoint: usize) -> String {
        let value = URL_SAFE_NO_PAD.encode(self.tokens[endpoint]);
        format!("{}={value}{}", self.cookie, self.attributes)
    }
}

impl std::fmt::Debug for Sticky {
    /// Without the tokens, which only clients may have.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sticky").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

fn name(token: &Token) -> [u8; NAME] {
    let mut name = [0; NAME];
    name.copy_from_slice(&token[..NAME]);
    name
}

/// HMAC with the SHA-256 of the secret as its key, which fits one block whatever the secret's length.
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&Sha256::digest(secret));
    Hmac::new(&block.into())
}

fn token(mut mac: Hmac<Sha256>, upstream: &str, address: &str) -> Token {
    // Neither a name nor an address has a NUL.
    for part in ["tidegate sticky", upstream, address] {
        mac.update(part.as_bytes());
        mac.update(b"\0");
    }
    let mut token = [0; LENGTH];
    token.copy_from_slice(&mac.finalize().into_bytes()[..LENGTH]);
    token
}

fn attributes(plan: &plan::Sticky) -> String {
    let mut text = format!("; Path={}", plan.path);
    if let Some(ttl) = plan.ttl {
        // Writing to a string cannot fail.
        _ = write!(text, "; Max-Age={}", ttl.get().div_ceil(1_000));
    }
    for (name, given) in [("; Secure", plan.secure), ("; HttpOnly", plan.http_only)] {
        if given {
            text.push_str(name);
        }
    }
    text.push_str(match plan.same_site {
        SameSite::Strict => "; SameSite=Strict",
        SameSite::Lax => "; SameSite=Lax",
        SameSite::None => "; SameSite=None",
    });
    text
}
