//! A worker's own copies of what it serves most.
//!
//! Each hit counts uses up and down in what it serves. Where several workers serve the same, each such count waits for the
//! memory of another core; a copy of its own has counts of its own.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::cache::key::Key;
use tidegate_core::time::Moment;

use super::{Cache, Variants};

/// Places for copies. Keys that fall together share one.
const PLACES: usize = 64;
/// How long a copy serves; then the cache learns that it is still in use.
const LIFE: Duration = Duration::from_secs(1);

/// Copies of what one worker has served more than once of late.
pub struct Hot(RefCell<Box<[Place]>>);

#[derive(Clone, Default)]
struct Place {
    /// The key that was asked for last, and where.
    key: u128,
    cache: usize,
    copy: Option<Copied>,
}

#[derive(Clone)]
struct Copied {
    /// What was stored, and what counts its changes.
    original: Variants,
    generation: u64,
    variants: Variants,
    until: Moment,
}

impl Default for Hot {
    fn default() -> Self {
        Self(RefCell::new(vec![Place::default(); PLACES].into()))
    }
}

impl Hot {
    /// What is stored in `cache` under `key` at `now`.
    pub fn find(&self, cache: &Arc<Cache>, key: &Key, now: Moment) -> Option<Variants> {
        let mut places = self.0.borrow_mut();
        let place = &mut places[(key.hash >> 64) as usize % PLACES];
        let (at, generation) = (Arc::as_ptr(cache) as usize, cache.generation(key));
        let is_same = place.key == key.hash && place.cache == at;
        if let Some(copy) = place.copy.as_ref().filter(|_| is_same)
            && copy.generation == generation
            && now < copy.until
        {
            return Some(copy.variants.clone());
        }
        if let Some(copy) = place.copy.take() {
            copy.settle();
        }
        let found = cache.find(key);
        if is_same && let Some(original) = &found {
            let variants = original.copied();
            let original = original.clone();
            let until = now.after(LIFE);
            place.copy = Some(Copied { original, generation, variants, until });
        }
        (place.key, place.cache) = (key.hash, at);
        found
    }
}

impl Copied {
    /// What was served of the copy counts for the original.
    fn settle(&self) {
        let pairs = self.variants.entries().iter().zip(self.original.entries());
        pairs.for_each(|(copy, original)| original.add_hits(copy.hits()));
    }
}
