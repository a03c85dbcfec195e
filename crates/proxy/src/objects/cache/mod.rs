//! Caches: responses that are stored, and those that are being filled, shared by all workers.

mod content;
mod disk;
mod entry;
mod fill;
mod hot;
mod memory;
mod purges;
mod room;
mod urls;
mod uses;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use http::HeaderMap;
use tidegate_core::cache::Settings;
use tidegate_core::cache::key::Key;
use tidegate_core::cache::reuse::Stale;
use tidegate_core::failure::Failure;
use tidegate_core::plan;
use tidegate_core::time::Moment;

pub use self::content::Content;
pub use self::disk::Disk;
pub use self::entry::{Entry, Parts, Renewal};
pub use self::fill::{Fill, PIECE};
pub use self::hot::Hot;
pub use self::memory::Variants;
pub use self::purges::{AskedAt, Force, Purges, Target, written};
pub use self::room::{Room, Taken};
pub use self::urls::Urls;

use self::disk::{Loaded, Purge, id_of};
use self::memory::Memory;
use self::uses::Uses;
use super::keeper::{Object, is_same};
use super::under_way::{First, Turn, UnderWay};
use crate::account::metrics::{CacheMetrics, Metrics};
use crate::long_work::LongWork;
use crate::net::clock;

/// The part of a cache's memory that fills may take: one of so many.
const FILLS: u64 = 4;
/// Insertions of larger entries than one of so many parts are reckoned up at once. Up to 512 smaller ones wait for
/// that, which are thus an eighth of the memory at the most.
const LARGE: u64 = 4096;

/// Bodies longer than one of so many parts of the longest are kept on disk, where there is one, and not in memory.
const LONG: u64 = 8;

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
            moved.for_each(|entry| memory.put(entry));
        }
        Ok(Self {
            plan: plan.clone(),
            metrics: metrics.cache(&plan.name),
            purges,
            room,
            memory,
            sweeps: AtomicBool::new(false),
            disk,
            uses: Uses::default(),
            under_way: before.map(|before| before.under_way.clone()).unwrap_or_default(),
            is_replaced: AtomicBool::new(false),
        })
    }

    /// It is asked from now on, and so is its disk, in place of those `before`.
    pub fn begin(&self) {
        if let (Some(disk), Some(plan)) = (&self.disk, &self.plan.disk) {
            disk.follow(plan);
        }
    }

    /// A number that changes with what is stored under `key`, and sometimes with others.
    fn generation(&self, key: &Key) -> u64 {
        self.memory.generation(key.hash)
    }

    /// Its disk.
    pub fn disk(&self) -> Option<&Arc<Disk>> {
        self.disk.as_ref()
    }

    /// What is in memory goes to disk, for at most `limit`: the process ends.
    pub fn close(&self, limit: Duration) {
        if let Some(disk) = &self.disk {
            disk.close(self.memory.entries(), limit);
        }
    }

    /// Whether something lies on disk of `key`.
    pub fn is_on_disk(&self, key: &Key) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.has(key.hash))
    }

    /// What lies on disk of `key`, which comes into memory where that has room for it.
    pub async fn load(&self, key: &Key) -> Variants {
        let Some(disk) = &self.disk else { return Variants::default() };
        let entries = disk.load(key.hash).await;
        entries.iter().for_each(|entry| self.memory.put_back(entry));
        Variants::of(entries)
    }

    /// What lies on disk of the key of this hash, by a thread that may wait for it.
    pub fn load_now(&self, hash: u128) -> Loaded {
        self.disk.as_ref().map(|disk| disk.load_now(hash)).unwrap_or_default()
    }

    /// `entry` is served once more. What is asked for again and again comes from disk into memory.
    pub fn serve(&self, entry: &Entry) {
        let times = entry.count() + 1;
        if let (Some(disk), Content::OnDisk(body)) = (&self.disk, &entry.content)
            && times >= 2
            && times.is_power_of_two()
            && !self.is_long(&entry.content)
        {
            let (memory, hash, body) = (self.memory.clone(), entry.key.hash, body.clone());
            disk.raise(&body.clone(), &self.room, move |pieces| {
                let is_it = |entry: &Entry| {
                    matches!(&entry.content, Content::OnDisk(other) if Arc::ptr_eq(other, &body))
                };
                let raised = |entry: &Entry| entry.whole(Content::Whole(pieces.clone()));
                memory.exchange(hash, is_it, raised);
            });
        }
    }

    /// Whether a body is so long that it is on disk, not in memory.
    fn is_long(&self, content: &Content) -> bool {
        content.length().is_some_and(|length| length > self.plan.max_object.get() / LONG)
    }

    /// What is stored under `key`.
    pub fn find(&self, key: &Key) -> Option<Arc<Variants>> {
        self.memory.get(key.hash)
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
        let newest_first = variants.entries.iter().rev();
        let mut fitting = newest_first.filter(|entry| {
            entry.key.text == key.text
                && entry.vary.matches(&settings.vary, fields)
                && entry.content.is_there()
        });
        fitting.find(|entry| self.purges.spare(entry, now))
    }

    /// Whether what has this key was asked for so often that it is stored, this time included.
    pub fn is_wanted(&self, key: &Key, uses: u32) -> bool {
        uses <= 1 || self.uses.count(key.hash) >= uses
    }

    /// Store `entry`.
    pub fn put(&self, entry: Arc<Entry>) {
        let has_body_on_disk = matches!(entry.content, Content::OnDisk(_));
        if let Some(disk) = self.disk.as_ref().filter(|_| !has_body_on_disk) {
            // What is there in its place is older. This comes first, for memory may hand the new one on at once.
            disk.forget(id_of(&entry));
        }
        let is_large = entry.weight() > self.plan.memory.get() / LARGE;
        self.memory.put(entry.clone());
        if is_large {
            self.memory.settle();
        }
        if let Some(disk) = &self.disk
            && (has_body_on_disk || self.is_long(&entry.content) && disk.wants(&entry))
            && !self.put_on_disk(disk, &entry)
            && has_body_on_disk
        {
            // Its head there is not the one that holds.
            self.remove(&entry);
        }
    }

    /// Have `entry` written, and its body let go from memory once that is done. False where that is not done.
    fn put_on_disk(&self, disk: &Arc<Disk>, entry: &Arc<Entry>) -> bool {
        let (memory, written) = (self.memory.clone(), entry.clone());
        disk.write(entry, &self.room, move |content| {
            let is_it = |stored: &Entry| stored.is(&written);
            memory.exchange(written.key.hash, is_it, |entry| entry.whole(content.clone()));
        })
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
        let stored = self.memory.get(entry.key.hash);
        let stored = stored.iter().flat_map(|stored| &stored.entries);
        stored.filter(|other| other.is(entry)).for_each(|other| other.soften(now));
        self.memory.touch(entry);
    }

    /// Take `entry` away.
    pub fn remove(&self, entry: &Arc<Entry>) {
        self.memory.remove(entry);
        if let Some(disk) = &self.disk {
            disk.forget(id_of(entry));
        }
    }

    /// Lead the requests with `key`, or be behind one that leads.
    pub fn join(&self, key: &Key) -> Turn<u128, Word> {
        self.under_way.join(key.hash)
    }

    /// The responses under `key` are not for others.
    pub fn mark_private(&self, key: &Key, now: Moment) {
        self.memory.mark_private(key.hash, now);
    }

    /// Purge `target`, on disk too and beyond the end of the process. Returns whether so many purges are noted that it is
    /// time for a [sweep](Self::sweep).
    ///
    /// # Errors
    /// If a purge, which holds, cannot be remembered beyond the end of the process.
    pub fn purge(&self, target: Target, force: Force) -> Result<bool, String> {
        let number = self.purges.add(target.clone(), force);
        if let Some(disk) = &self.disk {
            disk.remember(&Purge { number, target, force }, true)?;
        }
        Ok(self.purges.noted() >= NOTED)
    }

    /// Nothing that is stored for the URL of this hash holds any more. Where that `is_key` too, it goes at once. Returns
    /// whether it is time for a sweep.
    pub fn invalidate(&self, url: u128, is_key: bool) -> bool {
        // Before it is forgotten: what is stored between is forgotten as well.
        let is_over = is_key && !self.is_replaced.load(SeqCst) && !self.purges.awaits(url);
        if is_key {
            self.memory.forget(url);
            self.disk.iter().for_each(|disk| disk.forget_key(url));
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

    /// Bytes that are stored in memory, and keys.
    pub fn stored(&self) -> (u64, u64) {
        self.memory.settle();
        (self.memory.bytes(), self.memory.keys())
    }
}

/// What goes for want of room goes to disk, where there is one.
fn gone(disk: Option<Arc<Disk>>, room: Arc<Room>) -> impl Fn(&Arc<Entry>) {
    move |entry| {
        if let Some(disk) = &disk {
            disk.take(entry, &room);
        }
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
