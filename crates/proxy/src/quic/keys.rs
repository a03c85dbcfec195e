//! The keys of an address, for what clients hold of it: tokens of validated addresses (RFC 9000 §8.1) and of stateless resets
//! (§10.3). They stay where another listener takes the address over, as its connections do.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::{hkdf, hmac, rand};
use quinn::crypto::{HandshakeTokenKey, HmacKey};

/// Bytes of a secret.
const SECRET: usize = 32;
/// Keeps what is made of a secret here apart from what else may be made of it.
const PURPOSE: &[u8] = b"tidegate quic";

/// The secret that the keys of all addresses are made of. Where it outlives a process, they do.
#[derive(Default)]
pub struct Secret(OnceLock<[u8; SECRET]>);

impl Secret {
    /// Let it be this one.
    ///
    /// # Errors
    /// It has another length, or there is one already: one that was set, be it the same, or one of the process's own that
    /// was made for the first keys.
    pub fn set(&self, secret: &[u8]) -> Result<(), String> {
        let secret = secret
            .try_into()
            .map_err(|_| format!("a secret has {SECRET} bytes; found {}", secret.len()))?;
        self.0.set(secret).map_err(|_| "a secret is in use already".to_owned())
    }

    /// The secret: a new one where it was not set.
    fn get(&self) -> Result<&[u8; SECRET], String> {
        if let Some(secret) = self.0.get() {
            return Ok(secret);
        }
        let mut fresh = [0; SECRET];
        rand::fill(&mut fresh).map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(self.0.get_or_init(|| fresh))
    }

    /// The keys of the address that a listener has: always the same.
    ///
    /// # Errors
    /// The system gives no random numbers for a new secret.
    pub fn keys(&self, address: &SocketAddr) -> Result<Keys, String> {
        let of_all = hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(self.get()?);
        let mut bytes = [0; Keys::BYTES];
        let address = address.to_string();
        let info = [address.as_bytes()];
        let made = of_all.expand(&info, Length(Keys::BYTES)).and_then(|made| made.fill(&mut bytes));
        made.map_err(|_| format!("no keys of {} bytes can be derived", Keys::BYTES))?;
        Ok(Keys::of(&bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// How much is wanted of a derivation.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The keys of an address, shared by all workers.
pub struct Keys {
    /// Seals tokens.
    pub tokens: Arc<dyn HandshakeTokenKey>,
    /// Makes the tokens of resets, of connection ids.
    pub resets: Arc<dyn HmacKey>,
    /// Tells the worker of a connection id.
    pub steering: [u32; 3],
}

impl Keys {
    /// Bytes that they are made of.
    const BYTES: usize = 76;

    fn of(bytes: &[u8; Self::BYTES]) -> Self {
        let (tokens, rest) = bytes.split_at(32);
        let (resets, steering) = rest.split_at(32);
        let word = |at: usize| {
            let bytes = steering[4 * at..].first_chunk();
            bytes.map(|bytes| u32::from_be_bytes(*bytes)).unwrap_or_default()
        };
        Self {
            steering: [word(0), word(1), word(2)],
            tokens: Arc::new(hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(tokens)),
            resets: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, resets)),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys(…)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const WEB: &str = "[::1]:443";

    fn keys(secret: &Secret, address: &str) -> Keys {
        secret.keys(&address.parse().unwrap()).unwrap()
    }

    /// The token that resets a connection of this id.
    fn reset(keys: &Keys) -> [u8; 32] {
        let mut token = [0; 32];
        keys.resets.sign(b"an id", &mut token);
        token
    }

    fn secret(byte: u8) -> Secret {
        let secret = Secret::default();
        secret.set(&[byte; SECRET]).unwrap();
        secret
    }

    #[test]
    fn an_address_has_the_same_keys_in_the_next_process() {
        let [before, after] = [secret(1), secret(1)].map(|each| keys(&each, WEB));
        assert_eq!((reset(&before), before.steering), (reset(&after), after.steering));
    }

    #[test]
    fn an_address_has_the_same_keys_however_it_is_written() {
        let [one, other] = [WEB, "[0:0::1]:443"].map(|address| keys(&secret(1), address));
        assert_eq!((reset(&one), one.steering), (reset(&other), other.steering));
    }

    #[test]
    fn another_address_and_another_secret_have_others() {
        let web = keys(&secret(1), WEB);
        for other in [keys(&secret(1), "[::1]:444"), keys(&secret(2), WEB)] {
            assert_ne!(reset(&web), reset(&other));
            assert_ne!(web.steering, other.steering);
        }
    }

    #[test]
    fn where_none_is_set_it_is_a_new_one_that_stays() {
        let [one, other] = [Secret::default(), Secret::default()];
        assert_ne!(reset(&keys(&one, WEB)), reset(&keys(&other, WEB)));
        assert_eq!(reset(&keys(&one, WEB)), reset(&keys(&one, WEB)));
        assert!(one.set(&[1; SECRET]).unwrap_err().contains("in use already"));
    }

    #[test]
    fn one_that_is_set_stays() {
        assert!(secret(1).set(&[1; SECRET]).unwrap_err().contains("in use already"));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        assert!(Secret::default().set(b"short").unwrap_err().contains("32 bytes; found 5"));
    }
}
