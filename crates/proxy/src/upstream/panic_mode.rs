//! Panic mode: too few endpoints of an upstream are well, so requests go to all that are in service.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::account::outbox::{Notice, Outbox};

/// Whether an upstream is in panic mode, through every reload. Beginning and end are logged and told.
#[derive(Debug)]
pub struct PanicMode {
    upstream: Arc<str>,
    active: Mutex<bool>,
    outbox: Arc<Outbox>,
}

impl PanicMode {
    /// Of an upstream that is not in it.
    pub fn new(upstream: Arc<str>, outbox: Arc<Outbox>) -> Self {
        Self { upstream, active: Mutex::new(false), outbox }
    }

    /// Look whether it `is_active`. The look is taken here, so that of several threads the last one knows best.
    pub fn look(&self, is_active: impl FnOnce() -> bool) {
        let mut active = self.active.lock();
        let is_active = is_active();
        if std::mem::replace(&mut *active, is_active) == is_active {
            return;
        }
        let upstream = &*self.upstream;
        match is_active {
            true => {
                tracing::warn!(upstream, "too few endpoints are well: all that serve get requests")
            }
            false => tracing::info!(upstream, "enough endpoints are well again"),
        }
        self.outbox.tell(Notice::PanicMode { upstream: upstream.to_owned(), active: is_active });
    }
}
