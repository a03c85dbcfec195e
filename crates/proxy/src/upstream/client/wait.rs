//! Waiting for the head of an endpoint's response.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_core::failure::Failure;
use tokio::time::Instant;

use crate::http::interim::InterimSink;
use crate::net::deadline::Deadline;

/// How often a request that waits looks whether it still should.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long an endpoint may take for a try.
#[derive(Debug, Clone, Copy)]
pub struct TryTimeouts {
    /// From the request's end to the response's head.
    pub response: Duration,
    /// Longest silence while a body is transferred.
    pub idle: Duration,
}

/// What a request that waits for the head of its response has to say.
pub struct Waiter<'a> {
    /// Where interim responses go.
    pub interim: &'a InterimSink,
    /// Whether the wait is to be given up, asked now and then.
    pub gives_up: &'a dyn Fn() -> bool,
}

impl Waiter<'_> {
    /// For a request that takes no interim responses and waits as long as it may.
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

    /// Wait for `limit` from `now` on instead; the next look stays where it is.
    pub fn renew(&mut self, now: Instant, limit: Duration) {
        self.0 = now + limit;
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;

    use super::*;

    /// How a wait of `seconds` ends, and after how many milliseconds, if its endpoint is down from `down_at` on.
    async fn ends(seconds: u64, down_at: Duration) -> (Failure, u128) {
        let began = Instant::now();
        let gives_up = || began.elapsed() >= down_at;
        let waiter = Waiter { interim: &None, gives_up: &gives_up };
        let mut deadline = Deadline::default();
        let wait = Wait::begin(&mut deadline, began, Duration::from_secs(seconds));
        let over = poll_fn(|cx| wait.poll(&mut deadline, &waiter, cx)).await;
        (over, began.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_limit() {
        assert_eq!(ends(60, Duration::MAX).await, (Failure::ResponseTimeout, 60_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_given_up_soon_after_its_endpoint_is_down() {
        let (over, after) = ends(60, Duration::from_millis(1_100)).await;
        assert_eq!(over, Failure::EndpointDown);
        assert!((1_100..1_400).contains(&after), "{after} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_renewed_all_the_time_is_given_up_when_its_endpoint_is_down() {
        let waiter = Waiter { interim: &None, gives_up: &|| true };
        let mut deadline = Deadline::default();
        let mut wait = Wait::begin(&mut deadline, Instant::now(), Duration::from_secs(60));
        let over = poll_fn(|cx| {
            wait.renew(Instant::now(), Duration::from_secs(60));
            wait.poll(&mut deadline, &waiter, cx)
        });
        assert_eq!(over.await, Failure::EndpointDown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_wait_is_over_before_the_first_look() {
        let looks = Cell::new(0);
        let gives_up = || {
            looks.set(looks.get() + 1);
            false
        };
        let waiter = Waiter { interim: &None, gives_up: &gives_up };
        let mut deadline = Deadline::default();
        let wait = Wait::begin(&mut deadline, Instant::now(), Duration::from_millis(100));
        let over = poll_fn(|cx| wait.poll(&mut deadline, &waiter, cx)).await;
        assert_eq!((over, looks.get()), (Failure::ResponseTimeout, 0));
    }
}
