//! Keys with which signatures verify.

use std::fmt;

use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::{aws_lc, verify};
use serde::Deserialize;

use super::algorithm::Kind;
use super::{Algorithm, Token};

/// Bits of the modulus of an RSA key. Shorter ones are refused (RFC 7518 §3.3); longer ones would let a key set say
/// how much work a signature is.
const MODULUS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// Bytes of a secret: as many as the shortest hash has (RFC 7518 §3.2).
const SHORTEST_SECRET: usize = 32;

/// A key of an issuer.
#[derive(Clone)]
pub struct Key {
    /// Its name. A key without one may be any token's.
    pub kid: Option<Box<str>>,
    kind: Kind,
    /// The only algorithm that it is for.
    algorithm: Option<Algorithm>,
    /// What makes it differ from others of its kind.
    material: Box<[u8]>,
    verifying: Verifying,
}

/// With what signatures are verified.
#[derive(Clone)]
enum Verifying {
    /// It is parsed for each signature, which is next to nothing of the work.
    Each(DecodingKey),
    /// RSA, where parsing is a sixth of the work: parsed once for each algorithm.
    Once(Box<[(Algorithm, ParsedPublicKey)]>),
}

/// The algorithms of RSA keys. Each refuses keys of fewer than 2048 bits.
const RSA: [(Algorithm, &RsaParameters); 6] = [
    (Algorithm::Rs256, &RSA_PKCS1_2048_8192_SHA256),
    (Algorithm::Rs384, &RSA_PKCS1_2048_8192_SHA384),
    (Algorithm::Rs512, &RSA_PKCS1_2048_8192_SHA512),
    (Algorithm::Ps256, &RSA_PSS_2048_8192_SHA256),
    (Algorithm::Ps384, &RSA_PSS_2048_8192_SHA384),
    (Algorithm::Ps512, &RSA_PSS_2048_8192_SHA512),
];

impl Key {
    /// A secret that is shared with the issuer.
    ///
    /// # Errors
    /// If it is too short.
    pub fn secret(secret: &[u8]) -> Result<Self, &'static str> {
        if secret.len() < SHORTEST_SECRET {
            return Err("a secret has at least 32 bytes");
        }
        Ok(Self {
            kid: None,
            kind: Kind::Secret,
            algorithm: None,
            material: secret.into(),
            verifying: Verifying::Each(DecodingKey::from_secret(secret)),
        })
    }

    /// A public key in PEM.
    ///
    /// # Errors
    /// Why it is of no use.
    pub fn pem(pem: &str) -> Result<Self, &'static str> {
        if pem.contains("PRIVATE KEY") {
            return Err("it is a private key: give the public one, which verifies");
        }
        let pem = pem.as_bytes();
        if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            let components = aws_lc::DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key;
            let (n, e) =
                bytes(&key).and_then(|der| components(der).ok()).ok_or("it is no RSA key")?;
            return Self::rsa(&n, &e);
        }
        if let Ok(key) = DecodingKey::from_ec_pem(pem) {
            return Self::point(bytes(&key).ok_or("it is no key")?);
        }
        match DecodingKey::from_ed_pem(pem) {
            Ok(key) => Self::ed25519(bytes(&key).ok_or("it is no key")?),
            Err(_) => Err("it is no public key in PEM (RSA, P-256, P-384 or Ed25519)"),
        }
    }

    /// A key of a key set.
    ///
    /// # Errors
    /// Why it is of no use.
    pub(super) fn from_jwk(jwk: Jwk) -> Result<Self, &'static str> {
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return Err("it is not for signatures");
        }
        if jwk.operations.is_some_and(|all| !all.iter().any(|each| each == "verify")) {
            return Err("it is not for verifying");
        }
        let part = |text: Option<String>| {
            let text = text.ok_or("a part of it is missing")?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| "a part of it is no base64url")
        };
        let mut key = match (&*jwk.kty, jwk.crv.as_deref()) {
            ("RSA", _) => Self::rsa(&part(jwk.n)?, &part(jwk.e)?)?,
            ("EC", Some("P-256" | "P-384")) => {
                let (x, y) = (part(jwk.x)?, part(jwk.y)?);
                let key = Self::point(&[&[UNCOMPRESSED], &*x, &*y].concat())?;
                let is_of_curve = (key.kind == Kind::P256) == (jwk.crv.as_deref() == Some("P-256"));
                if x.len() != y.len() || !is_of_curve {
                    return Err("its point is not of its curve");
                }
                key
            }
            ("OKP", Some("Ed25519")) => Self::ed25519(&part(jwk.x)?)?,
            ("EC" | "OKP", _) => return Err("its curve is not known"),
            ("oct", _) => return Err("a secret is never taken from a key set"),
            _ => return Err("its type is not known"),
        };
        key.kid = jwk.kid.map(Into::into);
        if let Some(name) = jwk.algorithm {
            let algorithm: Algorithm = name.parse().map_err(|_| "its algorithm is not known")?;
            if algorithm.kind() != key.kind {
                return Err("its algorithm is for another kind of key");
            }
            key.algorithm = Some(algorithm);
        }
        Ok(key)
    }

    fn rsa(n: &[u8], e: &[u8]) -> Result<Self, &'static str> {
        // Some providers put a zero before it, against RFC 7518 §6.3.1.1.
        let zeros = n.iter().take_while(|byte| **byte == 0).count();
        let n = &n[zeros..];
        let bits = n.first().map_or(0, |top| 8 * n.len() - top.leading_zeros() as usize);
        if !MODULUS.contains(&bits) {
            return Err("an RSA key has 2048 to 8192 bits");
        }
        let key = RsaPublicKeyComponents { n, e };
        let parsed = RSA.map(|(algorithm, parameters)| {
            key.to_parsed_public_key(parameters).map(|parsed| (algorithm, parsed))
        });
        let parsed =
            parsed.into_iter().collect::<Result<_, _>>().map_err(|_| "it is no RSA key")?;
        Ok(Self::public(Kind::Rsa, [n, b":", e].concat(), Verifying::Once(parsed)))
    }

    /// A point of one of the curves, uncompressed (SEC 1 §2.3.3).
    fn point(point: &[u8]) -> Result<Self, &'static str> {
        let kind = match (point.first(), point.len()) {
            (Some(&UNCOMPRESSED), 65) => Kind::P256,
            (Some(&UNCOMPRESSED), 97) => Kind::P384,
            _ => return Err("it is no point of P-256 or P-384"),
        };
        let verifying = Verifying::Each(DecodingKey::from_ec_der(point));
        Ok(Self::public(kind, point.to_vec(), verifying))
    }

    fn ed25519(point: &[u8]) -> Result<Self, &'static str> {
        if point.len() != 32 {
            return Err("a key of Ed25519 has 32 bytes");
        }
        let verifying = Verifying::Each(DecodingKey::from_ed_der(point));
        Ok(Self::public(Kind::Ed25519, point.to_vec(), verifying))
    }

    fn public(kind: Kind, material: Vec<u8>, verifying: Verifying) -> Self {
        Self { kid: None, kind, algorithm: None, material: material.into(), verifying }
    }

    /// Whether it may be the one of a token that names `kid` and is signed with `algorithm`.
    pub(super) fn fits(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        let is_named = match (&self.kid, kid) {
            (Some(own), Some(kid)) => **own == *kid,
            _ => true,
        };
        let is_for = self.algorithm.is_none_or(|own| own == algorithm);
        is_named && is_for && self.kind == algorithm.kind()
    }

    /// Whether `token` is signed with it.
    pub(super) fn verifies(&self, token: &Token<'_>) -> bool {
        let signed = token.signed.as_bytes();
        match &self.verifying {
            Verifying::Each(key) => {
                verify(token.signature, signed, key, token.algorithm.into()).unwrap_or(false)
            }
            Verifying::Once(keys) => {
                let key = keys.iter().find(|(algorithm, _)| *algorithm == token.algorithm);
                let signature = URL_SAFE_NO_PAD.decode(token.signature);
                key.zip(signature.ok())
                    .is_some_and(|((_, key), signature)| key.verify_sig(signed, &signature).is_ok())
            }
        }
    }
}

/// What opens a point in which both coordinates stand.
const UNCOMPRESSED: u8 = 4;

fn bytes(key: &DecodingKey) -> Option<&[u8]> {
    key.try_get_as_bytes().ok()
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let of = |key: &Self| (key.kind, key.algorithm, key.kid.clone());
        of(self) == of(other) && self.material == other.material
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("kind", &self.kind).finish()
    }
}

/// A key as a key set has it (RFC 7517, RFC 7518 §6, RFC 8037 §2), which has more members than these.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    pub(super) kid: Option<String>,
    #[serde(rename = "alg")]
    algorithm: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    #[serde(rename = "key_ops")]
    operations: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}
