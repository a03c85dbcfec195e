//! Deadlines that cost next to nothing to move.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that belongs to a connection and moves with every request.
///
/// The timer behind it is left where it is when the deadline moves away, and
/// moved only when it fires too early or would fire too late. A busy connection
/// therefore touches the timer wheel once per timeout, not once per request.
#[derive(Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Expire `timeout` after `now`.
    pub fn set(&mut self, now: Instant, timeout: Duration) {
        self.at = now.checked_add(timeout);
    }

    /// Expire `timeout` from now on, unless it is set already.
    pub fn ensure(&mut self, timeout: Duration) {
        if self.at.is_none() {
            self.set(Instant::now(), timeout);
        }
    }

    /// Whether it will expire at all.
    pub fn is_set(&self) -> bool {
        self.at.is_some()
    }

    /// Never expire.
    pub fn clear(&mut self) {
        self.at = None;
    }

    /// Ready once the deadline has passed.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }
}
