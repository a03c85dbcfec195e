//! Packets that come to a worker and are of none of its connections.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many there were at a listener.
#[derive(Debug, Default)]
pub struct Strays {
    /// With an id of another worker, which may have the connection: they are dropped.
    pub of_another_worker: AtomicU64,
    /// With an id of the worker's own: a stateless reset says that their connection is gone.
    pub of_no_connection: AtomicU64,
}

impl Strays {
    /// Whether there were any.
    pub fn are_some(&self) -> bool {
        [&self.of_another_worker, &self.of_no_connection]
            .iter()
            .any(|count| count.load(Relaxed) > 0)
    }
}
