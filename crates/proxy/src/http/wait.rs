//! Waiting for the head of an endpoint's response.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::interim::InterimSink;
use crate::deadline::Deadline;

/// How often who waits looks whether there is still something to wait for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long an endpoint may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the request's end to the response's head.
    pub response: Duration,
    /// Longest silence while a body is transferred.
    pub idle: Duration,
}

/// Whoever waits for a response's head.
pub struct Waiter<'a> {
    /// Where interim responses go.
    pub interim: &'a InterimSink,
    /// Whether the wait is to be given up, asked now and then.
    pub gives_up: &'a dyn Fn() -> bool,
}

impl Waiter<'_> {
    /// One that takes no interim responses and waits as long as it may.
    pub const PATIENT: Waiter<'static> = Waiter { interim: &None, gives_up: &|| false };
}

/// When a wait is over.
///
/// Its deadline is set to the next look, which costs nothing where the response comes before: a deadline that
/// moves is one number, and its timer stays where it is.
#[derive(Debug, Clone, Copy)]
pub struct Wait(Instant);

impl Wait {
    /// Wait for `limit` from `now` on.
    pub fn begin(deadline: &mut Deadline, now: Instant, limit: Duration) -> Self {
        deadline.set(now, limit.min(LOOK_EVERY));
        Self(now + limit)
    }

    /// Ready once the wait is over, with how it ended.
    pub fn poll(
        self,
        deadline: &mut Deadline,
        waiter: &Waiter<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Failure> {
        loop {
            ready!(deadline.poll_expired(cx));
            let now = Instant::now();
            if now >= self.0 {
                return Poll::Ready(Failure::ResponseTimeout);
            }
            if (waiter.gives_up)() {
                return Poll::Ready(Failure::EndpointDown);
            }
            deadline.set(now, LOOK_EVERY.min(self.0 - now));
        }
    }
}
