//! Policies by name.

use serde::Deserialize;
use tidegate_core::cache::evict::{Fifo, Lru, Policy, S3Fifo, Sieve, TinyLfu};

/// A policy of core's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyName {
    /// First in, first out.
    Fifo,
    /// Least recently used.
    Lru,
    /// S3-FIFO, as the disk tier has it.
    S3Fifo,
    /// SIEVE.
    Sieve,
    /// TinyLFU without a window, as the memory tier has it.
    TinyLfu,
    /// TinyLFU with a window.
    WTinyLfu,
}

impl PolicyName {
    /// The policy, with room for so many bytes.
    pub(super) fn build(self, capacity: u64) -> Box<dyn Policy> {
        match self {
            Self::Fifo => Box::new(Fifo::new(capacity)),
            Self::Lru => Box::new(Lru::new(capacity)),
            Self::S3Fifo => Box::new(S3Fifo::new(capacity)),
            Self::Sieve => Box::new(Sieve::new(capacity)),
            Self::TinyLfu => Box::new(TinyLfu::plain(capacity)),
            Self::WTinyLfu => Box::new(TinyLfu::windowed(capacity)),
        }
    }
}
