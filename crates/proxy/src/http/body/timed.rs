//! Content that must be complete in time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tidegate_core::failure::Failure;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Body, NextFrame, Source};

struct Timed {
    inner: Body,
    timer: Pin<Box<Sleep>>,
    late: Failure,
}

impl Body {
    /// This body, failing as `late` where it is not complete at `deadline`.
    pub fn timed(self, deadline: Instant, late: Failure) -> Self {
        if self.is_end() || matches!(self, Self::Full(_)) {
            return self;
        }
        let timer = Box::pin(sleep_until(deadline));
        Self::stream(Timed { inner: self, timer, late })
    }
}

impl Source for Timed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        if let Poll::Ready(frame) = self.inner.poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(self.late)))
    }

    fn is_end(&self) -> bool {
        self.inner.is_end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{channel, data, read};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn content_that_is_late_fails() {
        let (sender, body) = channel(1);
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut body = body.timed(deadline, Failure::RequestTimeout);
        sender.try_send(data("in time")).unwrap();
        assert_eq!(read(&mut body), ("in time".into(), None));
        tokio::time::advance(Duration::from_millis(1_001)).await;
        assert_eq!(read(&mut body), (String::new(), Some(Err(Failure::RequestTimeout))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_over_needs_no_timer() {
        let body = Body::Empty.timed(Instant::now(), Failure::RequestTimeout);
        assert!(matches!(body, Body::Empty));
    }
}
