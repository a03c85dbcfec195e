//! What tests of rate limits share.

use std::num::NonZeroU64;
use std::time::Duration;

use super::key::{Key, Secret};
use super::window::Window;

/// The key of the `n`th client.
pub(super) fn key(n: u64) -> Key {
    let mut key = Secret::new(b"0123456789abcdef").key();
    key.part(&n.to_le_bytes());
    key.finish()
}

pub(super) fn nonzero(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).unwrap_or(NonZeroU64::MIN)
}

/// A window of `quota` per `per`, `burst` of it at once.
pub(super) fn window(quota: u64, per: Duration, burst: u64) -> Window {
    Window::new(nonzero(quota), per, nonzero(burst))
}
