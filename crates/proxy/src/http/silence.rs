//! How long a peer may be silent while a body is read.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tidegate_core::failure::Failure;

use super::body::{NextFrame, Source};
use crate::net::deadline::Deadline;

/// A body whose peer may be silent for a reason.
pub trait Patient: Source {
    /// Its silence so far is no fault of its peer.
    fn wait_anew(&mut self);
}

/// Ends a body whose peer sends nothing of it for too long.
pub struct Silence {
    deadline: Deadline,
    longest: Duration,
    late: Failure,
}

impl Silence {
    /// A body fails so after a silence that is longer.
    pub fn new(longest: Duration, late: Failure) -> Self {
        Self { deadline: Deadline::default(), longest, late }
    }

    /// What was `polled`, or that it comes too late.
    pub fn end(&mut self, polled: NextFrame, cx: &mut Context<'_>) -> NextFrame {
        if polled.is_pending() {
            self.deadline.ensure(self.longest);
            ready!(self.deadline.poll_expired(cx));
            return Poll::Ready(Some(Err(self.late)));
        }
        self.deadline.clear();
        polled
    }

    /// The silence so far is no fault of the peer.
    pub fn begin_anew(&mut self) {
        self.deadline.clear();
    }
}
