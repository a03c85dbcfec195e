//! How many requests of a key are under way.

use std::num::NonZeroU32;
use std::sync::Arc;

use tidegate_core::plan;
use tidegate_core::rate::{InFlight, Key, Policy, Service};

/// Requests of each key that are under way. They stay counted through reloads.
#[derive(Debug)]
pub struct Flights {
    most: NonZeroU32,
    counts: Arc<InFlight>,
    policy: Policy,
}

impl Flights {
    /// What `plan` asks for; it goes on counting what `before` counts.
    pub(super) fn build(plan: &plan::RateLimit, before: Option<&Self>) -> Option<Self> {
        let most = NonZeroU32::new(plan.in_flight?.get())?;
        let counts = match before {
            Some(before) => before.counts.clone(),
            None => Arc::new(InFlight::new(most)),
        };
        let policy = Policy::of_in_flight(&plan.name, most.get());
        Some(Self { most, counts, policy })
    }

    /// Let in as many from now on as it says.
    pub(super) fn put_into_force(&self) {
        self.counts.configure(self.most);
    }

    /// A request of `key` wants in: its place and how many more may follow it, or `None` if it may not.
    pub fn enter(&self, key: Key) -> Option<(Flight, u32)> {
        let left = self.counts.enter(key)?;
        Some((Flight { counts: self.counts.clone(), key }, left))
    }

    /// What a client is told that so many more requests may follow.
    pub fn service(&self, left: u32) -> Service<'_> {
        Service { policy: &self.policy, left: left.into(), refill: None }
    }
}

/// A request's place among those of its key that are under way; given back when it is dropped.
#[derive(Debug)]
pub struct Flight {
    counts: Arc<InFlight>,
    key: Key,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.counts.leave(self.key);
    }
}
