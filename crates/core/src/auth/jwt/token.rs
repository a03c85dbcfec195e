//! A token as a request carries it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json::object;
use super::{Algorithm, Bounds};

/// What a token says, of which nothing is believed yet.
///
/// Of its header only what is named here counts: the keys that `jwk` and `x5c` bring and the addresses in `jku` and
/// `x5u` are not looked at (RFC 8725 §3.10).
#[derive(Debug, Clone, PartialEq)]
pub struct Token<'a> {
    /// How it claims to be signed.
    pub algorithm: Algorithm,
    /// The name of the key (`kid`). It is compared and nothing else.
    pub kid: Option<String>,
    /// The kind of token (`typ`).
    pub typ: Option<String>,
    /// What it claims.
    pub claims: Map<String, Value>,
    /// What is signed.
    pub(super) signed: &'a str,
    /// The signature, encoded.
    pub(super) signature: &'a str,
}

impl<'a> Token<'a> {
    /// Read `text`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &'a [u8], bounds: &Bounds) -> Result<Self, &'static str> {
        if text.len() > bounds.size {
            return Err("the token is too long");
        }
        let text = str::from_utf8(text).map_err(|_| "the token is no text")?;
        let (signed, signature) = text.rsplit_once('.').ok_or(NO_TOKEN)?;
        let (header, claims) = signed.split_once('.').ok_or(NO_TOKEN)?;
        if claims.contains('.') {
            return Err("the token has more than three parts; encrypted ones are not read");
        }
        let mut header = part(header, bounds)?;
        if header.contains_key("crit") {
            return Err("the token asks for an extension of RFC 7515 (`crit`); none is known");
        }
        let algorithm = text_of(&mut header, "alg")?.ok_or("the token names no algorithm")?;
        Ok(Self {
            algorithm: named(&algorithm)?,
            kid: text_of(&mut header, "kid")?,
            typ: text_of(&mut header, "typ")?,
            claims: part(claims, bounds)?,
            signed,
            signature,
        })
    }
}

const NO_TOKEN: &str = "the token has less than three parts";

fn named(algorithm: &str) -> Result<Algorithm, &'static str> {
    algorithm.parse().map_err(|_| {
        if algorithm.eq_ignore_ascii_case("none") {
            "the token is not signed"
        } else {
            "the token is signed with an unknown algorithm"
        }
    })
}

fn part(encoded: &str, bounds: &Bounds) -> Result<Map<String, Value>, &'static str> {
    let text = URL_SAFE_NO_PAD.decode(encoded);
    object(&text.map_err(|_| "a part of the token is no base64url")?, bounds)
}

fn text_of(
    header: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, &'static str> {
    match header.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("`alg`, `kid` or `typ` of the token is no text"),
    }
}
