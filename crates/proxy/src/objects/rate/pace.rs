//! How fast bodies may pass.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::plan;
use tidegate_core::rate::{Key, OutOfMemory, Pacing, Share};

use crate::account::metrics::{Held, RateLimitMetrics};
use crate::http::body::Pace;
use crate::net::clock;

/// Which bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Those of requests.
    Request,
    /// Those of responses.
    Response,
}

/// How fast the bodies of either direction may pass; absent: as they come.
#[derive(Debug, Default)]
pub(super) struct Paces {
    request: Option<Arc<Pacing>>,
    response: Option<Arc<Pacing>>,
}

impl Paces {
    /// What `plan` asks for: those of `before`, where that is the same.
    ///
    /// # Errors
    /// If there is no memory for so many keys.
    pub(super) fn build(
        plan: &plan::RateLimit,
        before: Option<(&plan::RateLimit, &Self)>,
    ) -> Result<Self, OutOfMemory> {
        let Some(bandwidth) = plan.bandwidth else { return Ok(Self::default()) };
        if let Some((before, paces)) = before
            && before.bandwidth == plan.bandwidth
            && before.keys == plan.keys
        {
            return Ok(Self { request: paces.request.clone(), response: paces.response.clone() });
        }
        let keys = NonZeroUsize::new(plan.keys.get() as usize).unwrap_or(NonZeroUsize::MIN);
        let pacing = |rate: Option<plan::Rate>| {
            let rate = rate.and_then(|rate| NonZeroU64::new(rate.get()));
            let pacing = rate.map(|rate| Pacing::new(rate, bandwidth.burst.get(), keys));
            pacing.transpose().map(|pacing| pacing.map(Arc::new))
        };
        Ok(Self { request: pacing(bandwidth.request)?, response: pacing(bandwidth.response)? })
    }

    /// What paces bodies of this direction; `None`: nothing does.
    pub(super) fn of(&self, direction: Direction) -> Option<&Arc<Pacing>> {
        match direction {
            Direction::Request => self.request.as_ref(),
            Direction::Response => self.response.as_ref(),
        }
    }
}

/// How fast one body may pass, which has this key and direction, on this `worker`. How long it is held back is counted
/// when it has ended.
pub(super) fn pace(
    pacing: Arc<Pacing>,
    key: Key,
    direction: Direction,
    metrics: Arc<RateLimitMetrics>,
    worker: usize,
) -> Pace {
    let mut delay = Delay { metrics, worker, direction, sum: Duration::ZERO };
    Box::new(move |wanted| {
        let share = pacing.take(key, wanted, clock::now());
        if let Share::Later(pause) = share {
            delay.grow(pause);
        }
        share
    })
}

/// How long a body was held back, counted when it is dropped.
struct Delay {
    metrics: Arc<RateLimitMetrics>,
    worker: usize,
    direction: Direction,
    sum: Duration,
}

impl Delay {
    /// A method, so that a closure which calls it captures the whole and not a copy of the sum alone.
    fn grow(&mut self, pause: Duration) {
        self.sum += pause;
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        if !self.sum.is_zero() {
            let held = match self.direction {
                Direction::Request => Held::RequestBody,
                Direction::Response => Held::ResponseBody,
            };
            self.metrics.delayed(self.worker, held, self.sum);
        }
    }
}
