//! The process's keys, for what clients hold of it: tokens of validated addresses (RFC 9000 §8.1) and of stateless resets
//! (§10.3).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac, rand};
use quinn::crypto::{HandshakeTokenKey, HmacKey};

/// Bytes of the secret that they are made of.
const SECRET: usize = 76;

/// The keys, shared by all workers.
#[derive(Clone)]
pub struct Keys {
    /// Seals tokens.
    pub tokens: Arc<dyn HandshakeTokenKey>,
    /// Makes the tokens of resets, of connection ids.
    pub resets: Arc<dyn HmacKey>,
    /// Tells the worker of a connection id.
    pub steering: [u32; 3],
}

impl Keys {
    /// Keys that no process has had.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new() -> Result<Self, String> {
        let mut secret = [0; SECRET];
        rand::fill(&mut secret).map_err(|_| "the system gives no random numbers".to_owned())?;
        let (tokens, rest) = secret.split_at(32);
        let (resets, steering) = rest.split_at(32);
        let word = |at: usize| {
            let bytes = steering[4 * at..].first_chunk();
            bytes.map(|bytes| u32::from_be_bytes(*bytes)).unwrap_or_default()
        };
        Ok(Self {
            steering: [word(0), word(1), word(2)],
            tokens: Arc::new(hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(tokens)),
            resets: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, resets)),
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys(…)")
    }
}
