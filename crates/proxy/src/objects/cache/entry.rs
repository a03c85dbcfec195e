//! A stored response.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use http::header::{CONTENT_LENGTH, ETAG, LAST_MODIFIED};
use http::{HeaderValue, StatusCode};
use tidegate_core::cache::Terms;
use tidegate_core::cache::key::StoredKey;
use tidegate_core::cache::tags::Tags;
use tidegate_core::cache::validator;
use tidegate_core::cache::vary::Vary;
use tidegate_core::time::Moment;

use super::content::Content;
use super::disk::clock::{nanos, time};
use super::fields::Fields;
use super::sliced::Sliced;

/// What an entry takes in memory beside its key, head and body.
const OVERHEAD: u64 = 350;

/// A stored response and what is counted of it. What is stored never changes; what does is replaced.
#[derive(Debug)]
pub struct Entry {
    parts: Parts,
    /// The last purge that it was compared with.
    pub(super) compared: AtomicU64,
    /// When a purge has made it stale, in nanoseconds; 0: none has.
    pub(super) softened: AtomicU64,
    /// Until when, in nanoseconds, the origin is not asked again whether it still holds.
    rests_until: AtomicU64,
    /// How often it was served.
    hits: AtomicU64,
    /// No other entry has it, but copies do.
    id: u64,
}

impl Deref for Entry {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// What is stored of a response.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What it is found by.
    pub key: Arc<StoredKey>,
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: Fields,
    /// Its body.
    pub content: Content,
    /// On which terms it may be used.
    pub terms: Terms,
    /// What it was selected by.
    pub vary: Vary,
    /// What it can be purged by.
    pub tags: Tags,
    /// When it came, in nanoseconds since 1970.
    pub arrived: u64,
    /// The purge that was the last when it was asked for.
    pub asked_at: u64,
}

/// A head that the origin has renewed.
pub struct Renewal {
    /// All of its fields.
    pub fields: Fields,
    /// What it is selected by; `None`: by nothing that can be found again.
    pub vary: Option<Vary>,
    /// On which terms it may be used.
    pub terms: Terms,
    /// What it can be purged by; absent: by what it could be before.
    pub tags: Option<Tags>,
    /// When it came, by the wall clock.
    pub arrived: SystemTime,
    /// The purge that was the last when it was asked for.
    pub asked_at: u64,
}

impl Entry {
    /// An entry of these parts.
    pub fn new(parts: Parts) -> Self {
        let asked_at = parts.asked_at;
        Self {
            parts,
            compared: AtomicU64::new(asked_at),
            softened: AtomicU64::new(0),
            rests_until: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            id: next_id(),
        }
    }

    /// Whether it is for the same requests as `other`.
    pub fn is_variant(&self, other: &Self) -> bool {
        self.key.is(&other.key) && self.vary == other.vary
    }

    /// A copy that shares nothing with it that is counted when it is served, but its body where that is not to be copied.
    pub fn copied(&self, with_body: bool) -> Self {
        let content = match &self.content {
            Content::Whole(pieces) if with_body => Content::Whole(pieces.copied()),
            shared => shared.clone(),
        };
        let parts = Parts { content, fields: self.fields.at_hand(), ..self.parts.clone() };
        let copy = Self { id: self.id, ..Self::new(parts) };
        copy.softened.store(self.softened.load(Relaxed), Relaxed);
        copy
    }

    /// Whether it is the same entry, or a copy of it.
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// The same, as the purges left it, with this body, whose length is known by now.
    pub fn with(&self, content: Content) -> Self {
        let mut fields = self.fields.clone();
        // A 204 has none (RFC 9110 §8.6).
        let lacks = self.status != StatusCode::NO_CONTENT && !fields.contains(&CONTENT_LENGTH);
        if let Some(length) = content.length().filter(|_| lacks) {
            let mut all = fields.map();
            all.insert(CONTENT_LENGTH, length.into());
            fields = all.iter().collect();
        }
        let (terms, asked_at) = (self.terms_now().into_owned(), self.compared.load(Relaxed));
        Self::new(Parts { fields, content, terms, asked_at, ..self.parts.clone() })
    }

    /// The same with the head that the origin has renewed.
    pub fn renewed(&self, renewal: Renewal) -> Self {
        let Renewal { fields, vary, terms, tags, arrived, asked_at } = renewal;
        let parts = self.parts.clone();
        let (vary, tags) = (vary.unwrap_or(parts.vary), tags.unwrap_or(parts.tags));
        let arrived = nanos(arrived);
        Self::new(Parts { fields, vary, terms, tags, arrived, asked_at, ..parts })
    }

    /// When it came, by the wall clock.
    pub fn arrived(&self) -> SystemTime {
        time(self.arrived)
    }

    /// On which terms it may be used now: a soft purge makes it stale.
    pub fn terms_now(&self) -> Cow<'_, Terms> {
        match self.softened.load(Relaxed) {
            0 => Cow::Borrowed(&self.terms),
            at => Cow::Owned(self.terms.expire(Moment(at))),
        }
    }

    /// What no other body has in common with its body (RFC 9110 §8.8.1), where something says that.
    pub fn strong_validator(&self) -> Option<HeaderValue> {
        validator::strong(&self.fields.map(), self.arrived()).cloned()
    }

    /// Whether its body is that of `other`, byte by byte, as far as their heads say (RFC 9110 §8.8.1).
    pub fn is_same_body(&self, other: &Self) -> bool {
        let own = self.strong_validator();
        own.is_some()
            && own == other.strong_validator()
            && self.content.length() == other.content.length()
    }

    /// How its body is stored in slices, where it is.
    pub fn sliced(&self) -> Option<Sliced> {
        match self.content {
            Content::Sliced(sliced) => Some(sliced),
            _ => None,
        }
    }

    /// Whether it is a slice of another one.
    pub fn is_slice(&self) -> bool {
        self.status == StatusCode::PARTIAL_CONTENT
    }

    /// The slice of it with this key and content. It goes with it where it is purged; how long it is fresh is not asked.
    pub fn slice(&self, key: Arc<StoredKey>, content: Content, asked_at: u64) -> Parts {
        let validator = if self.fields.contains(&ETAG) { ETAG } else { LAST_MODIFIED };
        let value = self.strong_validator().into_iter();
        let fields: Fields = value.map(|value| (validator.clone(), value)).collect();
        let status = StatusCode::PARTIAL_CONTENT;
        let vary = Vary::default();
        Parts { key, status, fields, content, vary, asked_at, ..Parts::clone(self) }
    }

    /// It is served once more. Returns how often it was before.
    pub fn count(&self) -> u64 {
        self.hits.fetch_add(1, Relaxed)
    }

    /// It was served so many times more.
    pub fn add_hits(&self, hits: u64) {
        self.hits.fetch_add(hits, Relaxed);
    }

    /// How often it was served.
    pub fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    /// It is stale from `now` on.
    pub fn soften(&self, now: Moment) {
        let _ = self.softened.compare_exchange(0, now.0.max(1), Relaxed, Relaxed);
    }

    /// Whether a purge has made it stale.
    pub fn is_softened(&self) -> bool {
        self.softened.load(Relaxed) > 0
    }

    /// Whether the origin was asked in vain a moment ago.
    pub fn rests(&self, now: Moment) -> bool {
        now.0 < self.rests_until.load(Relaxed)
    }

    /// The origin was asked in vain: it is not asked again until then.
    pub fn rest_until(&self, then: Moment) {
        self.rests_until.store(then.0, Relaxed);
    }

    /// What it takes in memory.
    pub fn weight(&self) -> u64 {
        let content = match &self.content {
            Content::Whole(pieces) => pieces.weight(),
            Content::Coming(_) | Content::Sliced(_) => 0,
            Content::Partial(partial) => partial.weight(),
            Content::OnDisk(body) => body.weight(),
        };
        OVERHEAD + self.key.text.len() as u64 + self.fields.weight() + content
    }
}

// With the counts of its `Arc` it takes the 256 bytes that allocators have a class of.
const _: () = assert!(size_of::<Entry>() <= 240);

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Relaxed)
}
