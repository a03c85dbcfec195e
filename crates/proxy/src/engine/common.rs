//! What all threads of an engine have in common.

use std::sync::Arc;

use parking_lot::Mutex;

use super::serving::Serving;
use crate::account::Accounts;
use crate::long_work::LongWork;

/// Hashes that wait at the most. At 50 ms for one, the last is done after less than two seconds.
const HASHES_WAITING: usize = 64;

/// What all threads of an engine have in common.
pub(super) struct Common {
    /// What they count, remember and tell in.
    pub(super) accounts: Arc<Accounts>,
    /// Locked for as long as it is looked at: a worker that starts anew must not wait for a commit, which
    /// may be waiting for it.
    pub(super) serving: Mutex<Serving>,
    /// What takes long and is done beside the workers.
    pub(super) long_work: Arc<LongWork>,
    /// Slow hashes, in a queue and on threads of their own, so that passwords hold nothing else up.
    pub(super) hashing: Arc<LongWork>,
}

impl Common {
    /// For so many workers, which serve this.
    pub(super) fn new(workers: usize, serving: Serving) -> Self {
        Self {
            accounts: Arc::new(Accounts::new(workers)),
            serving: Mutex::new(serving),
            long_work: Arc::default(),
            hashing: Arc::new(LongWork::holding(HASHES_WAITING)),
        }
    }
}
