//! A count that stops at a limit: a circuit breaker in Envoy's sense.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// How many of something there are at a moment, over all workers.
#[derive(Debug, Default)]
pub struct Breaker(AtomicU32);

impl Breaker {
    /// Take one more; false if there are `limit` already.
    ///
    /// Every `true` is followed by exactly one [`release`](Self::release).
    pub fn take(&self, limit: u32) -> bool {
        self.0.fetch_update(SeqCst, SeqCst, |count| (count < limit).then(|| count + 1)).is_ok()
    }

    /// Give one back.
    pub fn release(&self) {
        let before = self.0.fetch_sub(1, SeqCst);
        debug_assert!(before > 0, "one was given back that was never taken");
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.load(SeqCst)
    }
}
