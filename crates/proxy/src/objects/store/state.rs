//! Whether a store answers.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Whether a store answers, since when, and why it does not.
#[derive(Debug)]
pub struct StoreState(Mutex<Known>);

#[derive(Debug, Clone)]
struct Known {
    since: Instant,
    /// Why it does not answer.
    cause: Option<String>,
    /// Gateways that share it.
    gateways: u32,
}

impl Default for StoreState {
    fn default() -> Self {
        let cause = Some("not connected yet".to_owned());
        Self(Mutex::new(Known { since: Instant::now(), cause, gateways: 0 }))
    }
}

impl StoreState {
    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.0.lock().cause.is_none()
    }

    /// Why it does not answer; `None` if it does.
    pub fn cause(&self) -> Option<String> {
        self.0.lock().cause.clone()
    }

    /// For how long it has answered, or has not.
    pub fn lasts(&self) -> Duration {
        self.0.lock().since.elapsed()
    }

    /// How many gateways share it, as it told last; 0 before.
    pub fn gateways(&self) -> u32 {
        self.0.lock().gateways
    }

    pub(super) fn set_gateways(&self, gateways: u32) {
        self.0.lock().gateways = gateways;
    }

    /// It does not answer for this `cause`, or does; whether that is new.
    pub(super) fn change(&self, cause: Option<String>) -> bool {
        let mut known = self.0.lock();
        let changes = known.cause.is_some() != cause.is_some();
        if changes {
            known.since = Instant::now();
        }
        known.cause = cause;
        changes
    }
}
