//! What is stored under a key: up to [`VARIANTS`] responses, which were selected by different fields.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tidegate_core::time::Moment;

use super::entry::Entry;

/// Most variants under a key; beyond it the oldest goes.
const VARIANTS: usize = 32;
/// How long a key is known to have responses that are not for others.
const PRIVATE: Duration = Duration::from_secs(120);
/// How long an origin is known not to answer ranges of what has a key.
const UNRANGED: Duration = Duration::from_secs(300);
/// Bodies under a key that are longer together are not copied for each worker.
const LARGE: u64 = 64 << 10;

/// What is stored under a key.
#[derive(Debug, Clone)]
pub enum Variants {
    /// Most have one response, of which nothing else is known.
    One(Arc<Entry>),
    /// All others.
    Many(Arc<Known>),
}

/// What is known of a key.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The newest last.
    pub entries: SmallVec<[Arc<Entry>; 1]>,
    /// Until when its responses are known not to be for others.
    private_until: Option<Moment>,
    /// Until when the origin is known not to answer ranges of it.
    unranged_until: Option<Moment>,
}

impl Default for Variants {
    fn default() -> Self {
        Known::default().into()
    }
}

impl From<Known> for Variants {
    fn from(known: Known) -> Self {
        match (known.entries.as_slice(), known.private_until, known.unranged_until) {
            ([only], None, None) => Self::One(only.clone()),
            _ => Self::Many(Arc::new(known)),
        }
    }
}

impl From<Variants> for Known {
    fn from(variants: Variants) -> Self {
        match variants {
            Variants::One(entry) => Self::of([entry].into()),
            Variants::Many(known) => Arc::unwrap_or_clone(known),
        }
    }
}

impl Variants {
    /// The newest last.
    pub fn entries(&self) -> &[Arc<Entry>] {
        match self {
            Self::One(entry) => slice::from_ref(entry),
            Self::Many(known) => &known.entries,
        }
    }

    /// Whether its responses are not for others, as far as is known at `now`: nothing waits for them.
    pub fn is_private(&self, now: Moment) -> bool {
        matches!(self, Self::Many(known) if known.private_until.is_some_and(|until| now < until))
    }

    /// Whether the origin answers no ranges of it, as far as is known at `now`.
    pub fn is_unranged(&self, now: Moment) -> bool {
        matches!(self, Self::Many(known) if known.unranged_until.is_some_and(|until| now < until))
    }

    /// Copies that share nothing with these that is counted when they are served. Large bodies are shared.
    pub fn copied(&self) -> Self {
        let bodies = self.entries().iter().filter_map(|entry| entry.content.length());
        let with_bodies = bodies.sum::<u64>() <= LARGE;
        let copied = |entry: &Arc<Entry>| Arc::new(entry.copied(with_bodies));
        let entries = self.entries().iter().map(copied).collect();
        match self {
            Self::One(_) => Known::of(entries).into(),
            Self::Many(known) => Known { entries, ..**known }.into(),
        }
    }
}

impl Known {
    /// No more than these responses.
    pub fn of(entries: SmallVec<[Arc<Entry>; 1]>) -> Self {
        Self { entries, ..Self::default() }
    }

    /// Whether nothing is.
    pub fn is_nothing(&self) -> bool {
        self.entries.is_empty() && self.private_until.is_none() && self.unranged_until.is_none()
    }

    /// Put `entry` in the place of the variant that was selected by the same fields, or what is `joined` of both, where
    /// that is something. Returns what is put in.
    pub fn put(
        &mut self,
        entry: Arc<Entry>,
        joined: impl Fn(&Entry, &Entry) -> Option<Entry>,
    ) -> Arc<Entry> {
        let same = self.entries.iter().find(|other| other.is_variant(&entry));
        let put = same.and_then(|other| joined(&entry, other)).map_or(entry, Arc::new);
        self.entries.retain(|other| other.key.is(&put.key) && other.vary != put.vary);
        if self.entries.len() >= VARIANTS {
            self.entries.remove(0);
        }
        self.entries.push(put.clone());
        self.private_until = None;
        put
    }

    /// Put `entry`, which was stored before, behind the others, unless there is a newer one by now.
    pub fn put_back(&mut self, entry: &Arc<Entry>) {
        let is_newer = |other: &Arc<Entry>| !other.key.is(&entry.key) || other.vary == entry.vary;
        if self.entries.len() < VARIANTS && !self.entries.iter().any(is_newer) {
            self.entries.insert(0, entry.clone());
        }
    }

    /// Its responses are not for others, as was seen at `now`.
    pub fn mark_private(&mut self, now: Moment) {
        self.private_until = Some(now.after(PRIVATE));
    }

    /// The origin answers no ranges of it, as was seen at `now`.
    pub fn mark_unranged(&mut self, now: Moment) {
        self.unranged_until = Some(now.after(UNRANGED));
    }
}
