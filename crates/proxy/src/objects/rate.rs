//! A rate limit as an object: its rules, and what its keys have spent.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use smallvec::SmallVec;
use tidegate_core::plan::{self, Issue};
use tidegate_core::rate::{Ended, Key, KeyRule, Limit, Secret, Style, Subject, Terms, Unkeyed};
use tidegate_core::time::Moment;

use super::keeper::{Object, is_same};
use crate::account::metrics::{Metrics, RateLimitMetrics};

/// Most requests that wait for their turn at one limit.
const MOST_WAITING: u32 = 10_000;

/// With it keys are hashed, so that none can be aimed at another's bucket. It lasts as long as what is hashed with it.
static SECRET: LazyLock<Secret> = LazyLock::new(|| {
    let random = || RandomState::new().hash_one(0u8).to_ne_bytes();
    let (mut bytes, (first, second)) = ([0; 16], (random(), random()));
    bytes[..8].copy_from_slice(&first);
    bytes[8..].copy_from_slice(&second);
    Secret::new(&bytes)
});

/// A limit that routes name, shared by all workers.
#[derive(Debug)]
pub struct RateLimit {
    /// What was asked for.
    pub plan: Arc<plan::RateLimit>,
    /// What it says, and what its keys have spent.
    pub limit: Limit,
    /// Which fields tell clients of it.
    pub style: Style,
    /// Its counts, which have its name.
    pub metrics: Arc<RateLimitMetrics>,
    rule: KeyRule,
    waiting: AtomicU32,
}

impl RateLimit {
    /// The limit that `plan`, whose option stands at `at`, asks for; it will go on where `before` ends.
    ///
    /// # Errors
    /// Everything that is wrong with the plan, and that there is no memory for so many keys.
    pub fn build(
        plan: &Arc<plan::RateLimit>,
        before: Option<&Self>,
        at: &str,
        metrics: &Metrics,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let rule = KeyRule::build(plan, at, &mut issues);
        let terms = Terms::build(plan, at, &mut issues);
        let limit = Limit::new(terms, before.map(|before| &before.limit)).map_err(|full| {
            issues.push(Issue::new(format!("{at}.keys"), full.to_string()));
        });
        match limit {
            Ok(limit) if issues.is_empty() => Ok(Self {
                plan: plan.clone(),
                limit,
                style: plan.headers.into(),
                metrics: metrics.rate_limit(&plan.name),
                rule,
                waiting: AtomicU32::new(0),
            }),
            _ => Err(issues),
        }
    }

    /// The key of a request.
    ///
    /// # Errors
    /// If it has none, and does not share one with all that have none.
    pub fn key(&self, subject: &Subject<'_>) -> Result<Key, Unkeyed> {
        self.rule.key(&SECRET, subject)
    }

    /// The key that these parts make, which are absent where requests lack them.
    ///
    /// # Errors
    /// If keys are made of other parts.
    pub fn named_key(&self, parts: &[Option<String>]) -> Result<Key, String> {
        self.rule.named(&SECRET, parts)
    }

    /// A place among the requests that wait for their turn; `None` if as many wait as may.
    pub fn place(self: &Arc<Self>) -> Option<Place> {
        let before = self.waiting.fetch_add(1, Relaxed);
        let place = Place(self.clone());
        (before < MOST_WAITING).then_some(place)
    }

    /// How many requests wait for their turn.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }
}

impl Object for RateLimit {
    type Plan<'p> = &'p Arc<plan::RateLimit>;

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn is_of(&self, plan: &&Arc<plan::RateLimit>) -> bool {
        is_same(&self.plan, plan)
    }
}

/// A place among the requests that wait at a limit; given back when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<RateLimit>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// What a request owes limits whose cost is known when its response has ended.
#[derive(Debug, Default)]
pub struct Dues(pub SmallVec<[Due; 2]>);

/// What a request owes one of them.
#[derive(Debug)]
pub struct Due {
    /// The limit.
    pub limit: Arc<RateLimit>,
    /// The key that it is booked to.
    pub key: Key,
    /// The cost that the response told.
    pub told: Option<u64>,
}

impl Dues {
    /// The response has ended: book what it cost.
    pub fn settle(self, ended: &Ended, now: Moment) {
        for Due { limit, key, told } in self.0 {
            limit.limit.settle(key, &Ended { told, ..*ended }, now);
        }
    }
}
