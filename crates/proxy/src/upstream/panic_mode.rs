//! Panic mode: too few endpoints of an upstream are well, so requests go to all that are in service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::account::outbox::{Notice, Outbox};

/// Whether an upstream is in panic mode, through every reload. Beginning and end are logged and told.
#[derive(Debug)]
pub struct PanicMode {
    upstream: Arc<str>,
    active: AtomicBool,
    outbox: Arc<Outbox>,
}

impl PanicMode {
    /// Of an upstream that is not in it.
    pub fn new(upstream: Arc<str>, outbox: Arc<Outbox>) -> Self {
        Self { upstream, active: AtomicBool::new(false), outbox }
    }

    /// Take note of whether it is.
    pub fn set(&self, active: bool) {
        if self.active.swap(active, Relaxed) == active {
            return;
        }
        let upstream = &*self.upstream;
        match active {
            true => {
                tracing::warn!(upstream, "too few endpoints are well: all that serve get requests")
            }
            false => tracing::info!(upstream, "enough endpoints are well again"),
        }
        self.outbox.tell(Notice::PanicMode { upstream: upstream.to_owned(), active });
    }
}
