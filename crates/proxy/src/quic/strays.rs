//! Packets that come to a worker and are of none of its connections.

use std::sync::Arc;

use parking_lot::Mutex;

/// Such a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stray {
    /// Its id is another worker's, which may have the connection: it is handed over.
    OfAnotherWorker,
    /// One of those that the other worker has no room for.
    Dropped,
    /// Its id is the worker's own: a stateless reset says that its connection is gone.
    OfNoConnection,
}

/// How they are counted: for the listener that accepts.
pub type StrayCounter = Box<dyn Fn(Stray) + Send>;

/// Counts those of one worker's endpoint, which goes over from listener to listener. The lock is never waited for: it is
/// the worker alone that takes it.
#[derive(Clone)]
pub struct Strays(Arc<Mutex<StrayCounter>>);

impl std::fmt::Debug for Strays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Strays").finish_non_exhaustive()
    }
}

impl Strays {
    /// Counted by `counter`.
    pub fn new(counter: StrayCounter) -> Self {
        Self(Arc::new(Mutex::new(counter)))
    }

    /// Let them be counted by `counter` from now on.
    pub fn count_by(&self, counter: StrayCounter) {
        *self.0.lock() = counter;
    }

    /// Count one.
    pub fn count(&self, stray: Stray) {
        self.0.lock()(stray);
    }
}
