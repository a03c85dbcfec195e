//! How fast bodies may pass.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use tidegate_core::plan;
use tidegate_core::rate::{Key, OutOfMemory, Pacing};

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

    /// How fast the bodies of `key` may pass; `None`: as they come.
    pub(super) fn of(&self, direction: Direction, key: Key) -> Option<Pace> {
        let pacing = match direction {
            Direction::Request => self.request.clone()?,
            Direction::Response => self.response.clone()?,
        };
        Some(Box::new(move |wanted| pacing.take(key, wanted, clock::now())))
    }
}
