//! The password that was right lately.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::time::Moment;

/// How long a password is known without its slow hash.
const FOR: Duration = Duration::from_secs(60);

/// A secret with which passwords are hashed quickly, while they are remembered.
pub(super) struct Secret(Hmac<Sha256>);

impl Secret {
    pub(super) fn new(bytes: &[u8; 32]) -> Self {
        Self(Hmac::new(&{
            let mut block = [0; 64];
            block[..32].copy_from_slice(bytes);
            block.into()
        }))
    }

    pub(super) fn hash(&self, text: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(text).finalize().into_bytes().into()
    }
}

/// The password of one name that was right less than a minute ago.
#[derive(Default)]
pub(super) struct Remembered(Mutex<Option<([u8; 32], Moment)>>);

impl Remembered {
    /// The password with this hash was right.
    pub(super) fn set(&self, hash: [u8; 32], now: Moment) {
        *self.0.lock() = Some((hash, now));
    }

    /// Whether it is the password with this hash.
    pub(super) fn is(&self, hash: &[u8; 32], now: Moment) -> bool {
        let remembered = *self.0.lock();
        remembered.is_some_and(|(known, at)| now.since(at) < FOR && bool::from(known.ct_eq(hash)))
    }
}
