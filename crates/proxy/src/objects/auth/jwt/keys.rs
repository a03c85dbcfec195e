//! Where the keys of an issuer are.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tidegate_core::auth::jwt::{Key, KeySet};
use tidegate_core::plan::{self, Issue};

/// Where the keys of an issuer are.
#[derive(Debug)]
pub(super) enum Keys {
    /// In the configuration.
    Fixed(KeySet),
    /// With an identity provider; what is supplied says that it is from there.
    Supplied(Box<str>),
}

impl Keys {
    /// Those of the option that stands at `at`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn build(wanted: &plan::Jwt, at: &str) -> Result<Self, Issue> {
        let issue = |option: &str, wrong: &str| Issue::new(format!("{at}.{option}"), wrong);
        let plan::Jwt { issuer, jwks, public_key, secret, secret_file, .. } = wanted;
        if let Some(pem) = public_key {
            let keys = KeySet::from_pem(pem);
            return keys.map(Self::Fixed).map_err(|wrong| issue("public_key", wrong));
        }
        if let Some(secret) = secret {
            let key = Key::secret(secret.expose().as_bytes());
            return key.map(Self::shared).map_err(|wrong| issue("secret", wrong));
        }
        if let Some(secret) = secret_file {
            let key = BASE64_STANDARD.decode(secret.expose()).map_err(|_| "expected base64");
            let key = key.and_then(|secret| Key::secret(&secret));
            return key.map(Self::shared).map_err(|wrong| issue("secret_file", wrong));
        }
        let jwks = jwks.as_ref().ok_or_else(|| Issue::new(at, "expected keys"))?;
        if let Some(file) = &jwks.file {
            let keys = serde_json::from_str(file).map_err(|error| error.to_string());
            let keys = keys.and_then(|jwks| KeySet::from_jwks(&jwks));
            return keys
                .map(|(keys, _)| Self::Fixed(keys))
                .map_err(|wrong| issue("jwks.file", &wrong));
        }
        let source = jwks.url.as_ref().or(issuer.as_ref());
        let source = source.ok_or_else(|| issue("issuer", "expected the issuer to discover"))?;
        Ok(Self::Supplied(source.as_str().into()))
    }

    fn shared(key: Key) -> Self {
        Self::Fixed(vec![key].into())
    }
}
