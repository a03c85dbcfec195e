//! JSON Web Tokens: which are believed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::bounded;
use super::{Millis, Place, Secret};
use crate::auth::jwt::Algorithm;

/// Which tokens are believed. The keys come from exactly one of `jwks`, `public_key`, `secret` and `secret_file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Who must have issued a token (`iss`); absent: anyone with the key.
    pub issuer: Option<String>,
    /// For whom a token may be (`aud`): one of these; empty: only tokens that are for anyone.
    pub audience: Vec<String>,
    /// The algorithms that a token may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// Keys of an identity provider.
    pub jwks: Option<Jwks>,
    /// Public keys, as PEM text.
    pub public_key: Option<String>,
    /// A secret that is shared with the issuer.
    pub secret: Option<Secret>,
    /// The same from a file, in base64.
    pub secret_file: Option<Secret>,
    /// Where a token stands in a request; the first place that has one counts.
    pub from: Vec<Place>,
    /// By how much clocks may differ.
    pub leeway: Millis,
    /// The kind of token (`typ`) that is asked for; absent: any.
    pub typ: Option<String>,
    /// Claims that a token must make.
    pub require: Vec<String>,
    /// Bytes of a token.
    pub size: TokenSize,
    /// Objects and lists within one another.
    pub depth: TokenDepth,
    /// Names in the objects of its header, and of its claims.
    pub names: TokenNames,
    /// Verified tokens that are remembered at a time.
    pub remember: RememberedTokens,
}

/// Where the keys of an identity provider come from: exactly one field but `ca` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jwks {
    /// From the address that the issuer's metadata says.
    pub discover: Option<bool>,
    /// From this address.
    pub url: Option<String>,
    /// This key set, as JSON text.
    pub file: Option<String>,
    /// Certificate authorities that the identity provider is trusted by, as PEM text; absent: those of the system.
    pub ca: Option<String>,
}

bounded! {
    /// How large a token may be.
    #[derive(Eq)]
    TokenSize(bytes): u64 from 256 to 1_048_576
}

bounded! {
    /// How deeply a token may be nested.
    #[derive(Eq)]
    TokenDepth: u32 from 1 to 64
}

bounded! {
    /// How many names a token may have.
    #[derive(Eq)]
    TokenNames: u32 from 1 to 100_000
}

bounded! {
    /// How many verified tokens are remembered.
    #[derive(Eq)]
    RememberedTokens: u32 from 1 to 10_000_000
}
