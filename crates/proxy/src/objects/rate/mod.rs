//! A rate limit as an object: its rules, and what its keys have spent.

mod connection;
mod dues;
mod flight;
mod pace;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use tidegate_core::plan::{self, Issue};
use tidegate_core::rate::fleet::Opening;
use tidegate_core::rate::{
    Heaviest, Heavy, Key, KeyRule, Limit, Mode, OutOfMemory, Secret, Subject, Terms, Unkeyed,
};
use tidegate_core::time::Moment;

pub use self::connection::let_in;
pub use self::dues::{Due, Dues};
pub use self::flight::Flights;
pub use self::pace::Direction;

use self::pace::Paces;
use super::keeper::{Object, is_same};
use super::random::random;
use super::store::Store;
use crate::account::metrics::{Metrics, RateLimitMetrics, RateResult};
use crate::http::body::Pace;

/// Most requests that wait for their turn at one limit.
const MOST_WAITING: u32 = 10_000;

/// Keys that are counted at a time where the heaviest are shown.
const HEAVY_KEYS: usize = 1_024;

/// With it keys are hashed, so that none can be aimed at another's bucket. It lasts as long as what is hashed with it.
static SECRET: LazyLock<Secret> = LazyLock::new(|| Secret::new(&random()));

/// A limit that routes name, shared by all workers.
#[derive(Debug)]
pub struct RateLimit {
    /// What was asked for.
    pub plan: Arc<plan::RateLimit>,
    /// What it says, and what its keys have spent.
    pub limit: Limit,
    /// Its counts, which have its name.
    pub metrics: Arc<RateLimitMetrics>,
    /// Requests of each key that are under way, where they are bounded.
    pub flights: Option<Flights>,
    /// Through which it is shared with other gateways, where it is.
    pub store: Option<Arc<Store>>,
    paces: Paces,
    heavy: Option<Arc<Mutex<Heavy>>>,
    rule: KeyRule,
    waiting: Arc<AtomicU32>,
}

impl RateLimit {
    /// The limit that `plan`, whose option stands at `at`, asks for, shared through its `store`; it will go on where
    /// `before` ends.
    ///
    /// # Errors
    /// Everything that is wrong with the plan, and that there is no memory for so many keys.
    pub fn build(
        (plan, store): <Self as Object>::Plan<'_>,
        before: Option<&Self>,
        at: &str,
        metrics: &Metrics,
    ) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let rule = KeyRule::build(plan, at, &mut issues);
        let store_plan = store.map(|store| &*store.plan);
        let terms = Terms::build(plan, store_plan, at, &mut issues);
        if !issues.is_empty() {
            return Err(issues);
        }
        let full = |full: OutOfMemory| vec![Issue::new(format!("{at}.keys"), full.to_string())];
        Ok(Self {
            plan: plan.clone(),
            limit: Limit::new(terms, before.map(|before| &before.limit)).map_err(full)?,
            metrics: metrics.rate_limit(&plan.name),
            store: store.cloned(),
            flights: Flights::build(plan, before.and_then(|before| before.flights.as_ref())),
            paces: Paces::build(plan, before.map(|before| (&*before.plan, &before.paces)))
                .map_err(full)?,
            heavy: plan.identities.then(|| {
                let before = before.and_then(|before| before.heavy.clone());
                before.unwrap_or_else(|| Arc::new(Mutex::new(Heavy::new(HEAVY_KEYS))))
            }),
            rule,
            waiting: before.map_or_else(Arc::default, |before| before.waiting.clone()),
        })
    }

    /// Whether it is asked for requests whose identity has been found out.
    pub fn needs_identity(&self) -> bool {
        self.rule.needs_identity()
    }

    /// The key of a request.
    ///
    /// # Errors
    /// If it has none, and does not share one with all that have none.
    pub fn key(&self, subject: &Subject<'_>) -> Result<Key, Unkeyed> {
        self.rule.key(&SECRET, subject)
    }

    /// A request with this key has come: count it, and its parts, if these are to be shown.
    pub fn remember(&self, key: Key, subject: &Subject<'_>) {
        if let Some(heavy) = &self.heavy {
            heavy.lock().add(key, || self.rule.texts(subject));
        }
    }

    /// The `count` keys with the most requests; `None` where they are not to be shown.
    pub fn heaviest(&self, count: usize) -> Option<Vec<Heaviest>> {
        self.heavy.as_ref().map(|heavy| heavy.lock().top(count))
    }

    /// The key that these parts make, which are absent where requests lack them.
    ///
    /// # Errors
    /// If keys are made of other parts.
    pub fn named_key(&self, parts: &[Option<String>]) -> Result<Key, String> {
        self.rule.named(&SECRET, parts)
    }

    /// What is about to be decided of `key`, which `subject` has: whether it had better wait for a word of the store,
    /// where it is shared.
    pub fn open(&self, key: Key, subject: &Subject<'_>, now: Moment) -> Opening {
        self.limit.open(key, now, || self.rule.shared_key(subject).unwrap_or_default())
    }

    /// Give the key that these parts make a fresh bucket, in all gateways that share the limit.
    ///
    /// # Errors
    /// If keys are made of other parts.
    pub fn forget(&self, parts: &[Option<String>], now: Moment) -> Result<(), String> {
        let key = self.named_key(parts)?;
        self.limit.forget(key, now);
        if let Some(shared) = self.limit.shared() {
            shared.forget(key, self.rule.shared_named(parts)?);
        }
        Ok(())
    }

    /// Go on where `before` ends, which this was built with.
    pub fn succeed(&self, before: &Self, now: Moment) {
        self.limit.succeed(&before.limit, now);
        if let Some(flights) = &self.flights {
            flights.put_into_force();
        }
    }

    /// How fast a body of `key` may pass in this direction, on this `worker`; `None` where it may as it comes, as it may
    /// by any limit in shadow.
    pub fn pace(&self, direction: Direction, key: Key, worker: usize) -> Option<Pace> {
        let enforces = self.limit.terms().mode == Mode::Enforce;
        let pacing = self.paces.of(direction).filter(|_| enforces)?;
        Some(pace::pace(pacing.clone(), key, direction, self.metrics.clone(), worker))
    }

    /// Count what it said to a request or a connection of this worker: whether it has no room for it.
    pub fn count(&self, worker: usize, denies: bool) {
        let result = match (denies, self.limit.terms().mode) {
            (false, _) => RateResult::Allowed,
            (true, Mode::Enforce) => RateResult::Denied,
            (true, Mode::Shadow) => RateResult::WouldDeny,
        };
        self.metrics.asked(worker, result);
    }

    /// A place among the requests that wait for their turn; `None` if as many wait as may.
    pub fn place(&self) -> Option<Place> {
        let before = self.waiting.fetch_add(1, Relaxed);
        let place = Place(self.waiting.clone());
        (before < MOST_WAITING).then_some(place)
    }

    /// How many requests wait for their turn.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }
}

impl Object for RateLimit {
    /// With the store that it is shared through.
    type Plan<'p> = (&'p Arc<plan::RateLimit>, Option<&'p Arc<Store>>);

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn is_of(&self, (plan, store): &Self::Plan<'_>) -> bool {
        let same_store = match (&self.store, store) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_store && is_same(&self.plan, plan)
    }
}

/// A place among the requests that wait at a limit; given back when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicU32>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
