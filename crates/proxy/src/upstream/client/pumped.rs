//! How far a request's body came, which goes on while its response comes.

use std::task::Poll;

use tidegate_core::failure::Failure;

use crate::http::stopped::Stopped;

/// How far a request's body came.
pub struct Pumped {
    /// Whether the peer got more, or all that there was: its time begins anew.
    pub progressed: bool,
    /// Why the body broke off at its source.
    pub result: Result<(), Failure>,
}

impl Pumped {
    /// There is no body, or it was sent.
    pub const DONE: Self = Self { progressed: false, result: Ok(()) };

    /// What sending it came to; `went_on` says whether the peer got more, or all that there is so far.
    pub fn of(polled: Poll<Result<(), Stopped>>, went_on: bool) -> Self {
        let result = match polled {
            Poll::Ready(Err(Stopped::Source(failure))) => Err(failure),
            // A peer that takes no more of it may answer all the same.
            _ => Ok(()),
        };
        Self { progressed: went_on || polled == Poll::Ready(Ok(())), result }
    }
}
