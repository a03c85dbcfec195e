//! Caches: responses that are stored, and those that are being filled, shared by all workers.

mod asked_url;
mod content;
pub mod disk;
mod entry;
mod fields;
mod fill;
pub mod fleet;
mod hot;
mod memory;
mod partial;
mod pieces;
mod purge;
mod purge_request;
mod purges;
mod room;
mod sliced;
mod tiers;
mod urls;
mod uses;
mod variants;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};

use http::HeaderMap;
use tidegate_core::cache::Settings;
use tidegate_core::cache::key::Key;
use tidegate_core::cache::reuse::Stale;
use tidegate_core::failure::Failure;
use tidegate_core::plan;
use tidegate_core::time::Moment;

pub use self::asked_url::AskedUrl;
pub use self::content::Content;
pub use self::disk::Disk;
pub use self::entry::{Entry, Parts, Renewal};
pub use self::fill::{Fill, PIECE};
pub use self::fleet::Fleet;
pub use self::hot::Hot;
pub use self::partial::Partial;
pub use self::purge::{Force, Purging, Target, written};
pub use self::purge_request::PurgeRequest;
pub use self::purges::{AskedAt, Purges};
pub use self::room::{Room, Taken};
pub use self::sliced::{Sliced, within};
pub use self::urls::Urls;
pub use self::variants::{Known, Variants};

use self::memory::Memory;
use self::purge::Purge;
use self::tiers::gone;
use self::uses::Uses;
use super::keeper::{Object, is_same};
use super::under_way::{First, Turn, UnderWay, Waiting};
use crate::account::metrics::{CacheMetrics, Metrics, PurgeKind};
use crate::long_work::LongWork;
use crate::net::clock;

/// The part of a cache's memory that fills may take: one of so many.
const FILLS: u64 = 4;

/// Purges that are noted before what they take is swept away.
const NOTED: usize = 10_000;

/// A cache.
#[derive(Debug)]
pub struct Cache {
    /// What was asked for.
    pub plan: Arc<plan::Cache>,
    /// What is counted of it.
    pub metrics: Arc<CacheMetrics>,
    /// What was purged.
    pub purges: Arc<Purges>,
    /// What fills take of its memory.
    pub room: Arc<Room>,
    memory: Arc<Memory>,
    /// Where what leaves memory is kept.
    disk: Option<Arc<Disk>>,
    /// The gateways that it is purged together with.
    pub fleet: Option<Arc<Fleet>>,
    /// Whether a sweep is going to begin.
    sweeps: AtomicBool,
    uses: Uses,
    under_way: Arc<UnderWay<u128, Word>>,
    /// Whether another one was built in its place, which has what was stored then. Requests that began before still use
    /// this one.
    is_replaced: AtomicBool,
}

/// What the first of several requests with the same key tells those behind it.
#[derive(Debug, Clone)]
pub enum Word {
    /// The response, which is for all whose fields it was selected by.
    Shared(Arc<Entry>),
    /// What is stored and not fresh any more, for this reason.
    Stale(Arc<Entry>, Stale),
    /// The response is not for others.
    Private,
    /// There is none.
    Failed(Failure),
}

/// The place of the first of several requests with the same key.
pub type Leading = First<u128, Word>;

impl Cache {
    /// A cache as `plan` asks for it, with what the one before it has stored.
    ///
    /// # Errors
    /// Why its directory cannot be used.
    pub fn build(
        plan: &Arc<plan::Cache>,
        before: Option<&Cache>,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let bytes = plan.memory.get();
        let purges = before.map(|before| before.purges.clone()).unwrap_or_default();
        let room = Room::new(bytes / FILLS);
        let disk = match (&plan.disk, before.and_then(|before| before.disk.as_ref())) {
            (Some(wanted), Some(disk)) if disk.is_at(&wanted.path) => Some(disk.clone()),
            (Some(wanted), _) => Some(Disk::open(wanted, &purges)?),
            (None, _) => None,
        };
        let opened = disk.as_ref().filter(|disk| {
            let of_before = before.and_then(|before| before.disk.as_ref());
            of_before.is_none_or(|other| !Arc::ptr_eq(disk, other))
        });
        let fleet = plan.purges.as_ref().map(|wanted| fleet::of(wanted, before, opened));
        if let (None, Some(disk)) = (&fleet, &disk) {
            disk.believe();
        }
        let memory = Arc::new(Memory::new(bytes - bytes / FILLS, gone(disk.clone(), room.clone())));
        if let Some(before) = before {
            before.is_replaced.store(true, SeqCst);
            let is_same = |disk: &Arc<Disk>| {
                before.disk.as_ref().is_some_and(|other| Arc::ptr_eq(disk, other))
            };
            let stays = disk.as_ref().is_some_and(is_same);
            let entries = before.memory.entries();
            let moved =
                entries.filter(|entry| stays || !matches!(entry.content, Content::OnDisk(_)));
            moved.for_each(|entry| drop(memory.put(entry, |_, _| None)));
        }
        Ok(Self {
            plan: plan.clone(),
            metrics: metrics.cache(&plan.name),
            purges,
            room,
            memory,
            disk,
            fleet,
            sweeps: AtomicBool::new(false),
            uses: Uses::default(),
            under_way: before.map(|before| before.under_way.clone()).unwrap_or_default(),
            is_replaced: AtomicBool::new(false),
        })
    }

    /// A number that changes with what is stored under `key`, and sometimes with others.
    pub fn generation(&self, key: &Key) -> u64 {
        self.memory.generation(key.hash)
    }

    /// What is stored under `key`, which a request asks for.
    pub fn find(&self, key: &Key) -> Option<Variants> {
        self.memory.get(key.hash)
    }

    /// The same, where no request does.
    pub fn peek(&self, key: &Key) -> Option<Variants> {
        self.memory.peek(key.hash)
    }

    /// The one of `variants` that is for a request with this key and these fields; what was purged is none.
    pub fn select<'v>(
        &self,
        variants: &'v Variants,
        settings: &Settings,
        key: &Key,
        fields: &HeaderMap,
        now: Moment,
    ) -> Option<&'v Arc<Entry>> {
        let newest_first = variants.entries().iter().rev();
        let mut fitting = newest_first.filter(|entry| {
            entry.key.is(key)
                && entry.vary.matches(&settings.vary, fields)
                && entry.content.is_there()
        });
        fitting.find(|entry| self.purges.spare(entry, now))
    }

    /// Whether what has the key of this hash was asked for so often that it is stored, this time included.
    pub fn is_wanted(&self, hash: u128, uses: u32) -> bool {
        uses <= 1 || self.uses.count(hash) >= uses
    }

    /// Keys that went for want of room.
    pub fn evictions(&self) -> u64 {
        self.memory.evictions()
    }

    /// Responses that are fetched just now.
    pub fn fills(&self) -> usize {
        self.under_way.len()
    }

    /// What is stored of `entry` is stale from `now` on.
    pub fn soften(&self, entry: &Entry, now: Moment) {
        let stored = self.memory.peek(entry.key.hash);
        let stored = stored.iter().flat_map(|stored| stored.entries());
        stored.filter(|other| other.is(entry)).for_each(|other| other.soften(now));
        if let Some(disk) = &self.disk {
            // There it is fresh still.
            disk.forget(entry);
        }
        self.memory.touch(entry);
    }

    /// Take `entry` away.
    pub fn remove(&self, entry: &Arc<Entry>) {
        self.memory.remove(entry);
        if let Some(disk) = &self.disk {
            disk.forget(entry);
        }
    }

    /// Lead the requests with `key`, or be behind one that leads.
    pub fn join(&self, key: &Key) -> Turn<u128, Word> {
        self.under_way.join(key.hash)
    }

    /// Be behind the one that leads the requests with `key`, where one does.
    pub fn behind(&self, key: &Key) -> Option<Waiting<Word>> {
        self.under_way.find(&key.hash)
    }

    /// What is stored of `entry` is still stored.
    pub fn has(&self, entry: &Entry) -> bool {
        let stored = self.memory.peek(entry.key.hash);
        stored.is_some_and(|stored| stored.entries().iter().any(|other| other.is(entry)))
    }

    /// The origin answers no ranges of what has the key of this hash.
    pub fn mark_unranged(&self, hash: u128, now: Moment) {
        self.memory.mark_unranged(hash, now);
    }

    /// The responses under the key of this hash are not for others.
    pub fn mark_private(&self, hash: u128, now: Moment) {
        self.memory.mark_private(hash, now);
    }

    /// Purge what is asked for, on disk too and beyond the end of the process. This waits for the disk.
    ///
    /// # Errors
    /// If a purge, which holds, cannot be remembered beyond the end of the process.
    pub fn purge(
        self: &Arc<Self>,
        purgings: impl IntoIterator<Item = Purging>,
        long_work: &LongWork,
    ) -> Result<(), String> {
        let (mut made, mut takes_many) = (Vec::new(), false);
        for Purging { kind, targets, force } in purgings {
            made.extend(targets.into_iter().map(|target| {
                let number = self.purges.add(target.clone(), force);
                Purge { number, target, force }
            }));
            self.metrics.purged(kind);
            takes_many |= !matches!(kind, PurgeKind::Url | PurgeKind::Key);
        }
        let remembered = match &self.disk {
            Some(disk) if !made.is_empty() => disk.remember(&made, true),
            _ => Ok(()),
        };
        // What takes many things away is swept at once, so that their memory is free.
        if takes_many || self.purges.noted() >= NOTED {
            self.have_swept(long_work);
        }
        remembered
    }

    /// Nothing that is stored for the URL of this hash holds any more. Where that `is_key` too, it goes at once. Returns
    /// whether it is time for a sweep.
    pub fn invalidate(&self, url: u128, is_key: bool) -> bool {
        // Before it is forgotten: what is stored between is forgotten as well.
        let is_over = is_key && !self.is_replaced.load(SeqCst) && !self.purges.awaits(url);
        if is_key {
            self.forget_key(url);
        }
        if is_over {
            return false;
        }
        let number = self.purges.add(Target::Url(url), Force::Hard);
        if let Some(disk) = &self.disk {
            disk.remember_soon(number, Target::Url(url), Force::Hard);
        }
        self.purges.noted() >= NOTED
    }

    /// Have a [sweep](Self::sweep) begun among the long work, where none is going to begin. One that finds no place there
    /// is left to the next purge.
    pub fn have_swept(self: &Arc<Self>, long_work: &LongWork) {
        if self.sweeps.swap(true, Relaxed) {
            return;
        }
        let cache = self.clone();
        if long_work.submit(move || cache.sweep(clock::now())).is_err() {
            self.sweeps.store(false, Relaxed);
        }
    }

    /// Take away all that was purged, and forget the purges that were made before.
    fn sweep(&self, now: Moment) {
        // What is purged from here on needs another one.
        self.sweeps.store(false, Relaxed);
        let swept = self.purges.settled();
        for entry in self.memory.entries() {
            if !self.purges.spare(&entry, now) {
                self.memory.remove(&entry);
            } else if entry.is_softened() {
                // Workers' own copies are not.
                self.memory.touch(&entry);
            }
        }
        match &self.disk {
            None => self.purges.forget(swept),
            Some(disk) => disk.sweep(swept),
        }
    }

    /// All that is stored.
    pub fn entries(&self) -> impl Iterator<Item = Arc<Entry>> {
        self.memory.entries()
    }

    /// Whether anything is stored, in memory or on disk.
    pub fn holds_anything(&self) -> bool {
        let on_disk = self.disk.as_ref().is_some_and(|disk| disk.stored().1 > 0);
        on_disk || self.memory.entries().next().is_some()
    }

    /// Bytes that are stored in memory, and keys.
    pub fn stored(&self) -> (u64, u64) {
        (self.memory.bytes(), self.memory.keys())
    }
}

impl Object for Cache {
    type Plan<'p> = &'p Arc<plan::Cache>;

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn is_of(&self, plan: &&Arc<plan::Cache>) -> bool {
        is_same(&self.plan, plan)
    }
}
