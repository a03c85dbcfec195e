//! Issuers of tokens.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Value, json};

use super::*;

/// Any moment.
pub(super) const NOW: i64 = 1_800_000_000;

pub(super) const SECRET: &[u8] = b"a secret of thirty-two bytes, or";

/// Something that signs tokens.
pub(super) struct Issuer {
    pub(super) algorithm: Algorithm,
    key: EncodingKey,
}

static RSA: LazyLock<EncodingKey> = LazyLock::new(|| {
    let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der = pair.as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
});

impl Issuer {
    /// Of a key of its own, but for RSA, where one takes long to make.
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |curve| EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
        let key = match algorithm.kind() {
            algorithm::Kind::Secret => EncodingKey::from_secret(SECRET),
            algorithm::Kind::Rsa => RSA.clone(),
            algorithm::Kind::P256 => {
                EncodingKey::from_ec_der(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING).as_ref())
            }
            algorithm::Kind::P384 => {
                EncodingKey::from_ec_der(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING).as_ref())
            }
            algorithm::Kind::Ed25519 => EncodingKey::from_ed_der(
                Ed25519KeyPair::generate_pkcs8v1(&random).unwrap().as_ref(),
            ),
        };
        Self { algorithm, key }
    }

    /// The same key for another algorithm.
    pub(super) fn with(&self, algorithm: Algorithm) -> Self {
        Self { algorithm, key: self.key.clone() }
    }

    /// Its public key, with these members beside.
    pub(super) fn jwk(&self, more: Value) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm.into()).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        let members = jwk.as_object_mut().unwrap();
        for (name, value) in more.as_object().unwrap() {
            members.insert(name.clone(), value.clone());
        }
        members.retain(|_, value| !value.is_null());
        jwk
    }

    /// A key set of its key, whose name is `a`.
    pub(super) fn keys(&self) -> KeySet {
        if self.algorithm.kind() == algorithm::Kind::Secret {
            return vec![Key::secret(SECRET).unwrap()].into();
        }
        KeySet::from_jwks(&json!({"keys": [self.jwk(json!({"kid": "a"}))]})).unwrap().0
    }

    /// A token with these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.signed(json!({"alg": self.algorithm, "kid": "a"}).to_string(), claims.to_string())
    }

    /// A token of these parts, signed.
    pub(super) fn signed(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let signed = [URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims)].join(".");
        let signature = sign(signed.as_bytes(), &self.key, self.algorithm.into()).unwrap();
        format!("{signed}.{signature}")
    }
}

/// Claims that [`rules`] are content with.
pub(super) fn claims() -> Value {
    json!({"iss": "https://id.test", "aud": "api", "sub": "alice", "exp": NOW + 60})
}

/// `claims` with these, of which null takes one away.
pub(super) fn claims_with(more: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    claims
}

pub(super) const BOUNDS: Bounds = Bounds { size: 8_192, depth: 8, names: 100 };

/// What the tests ask of a token that is signed with `algorithm`.
pub(super) fn rules(algorithm: Algorithm) -> Rules {
    Rules {
        issuer: Some("https://id.test".into()),
        audience: vec!["api".into(), "web".into()],
        algorithms: vec![algorithm],
        leeway: 10,
        typ: None,
        require: vec!["exp".into()],
        bounds: BOUNDS,
    }
}
