//! Memory and disk: what goes from one to the other, and when.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::cache::key::Key;

use super::disk::{Disk, Loaded};
use super::{Cache, Content, Entry, Known, Room, Variants};
use crate::net::clock;

/// Bodies longer than one of so many parts of the longest are kept on disk, where there is one, and not in memory.
const LONG: u64 = 8;

impl Cache {
    /// It is part of what is served from now on, and so is its disk.
    pub fn begin(&self) {
        if let (Some(disk), Some(plan)) = (&self.disk, &self.plan.disk) {
            disk.follow(plan);
        }
    }

    /// Its disk.
    pub fn disk(&self) -> Option<&Arc<Disk>> {
        self.disk.as_ref()
    }

    /// What is in memory goes to disk, for at most `limit`: the process ends.
    pub fn close(&self, limit: Duration) {
        let untold = self.fleet.as_ref().map_or(0, |fleet| fleet.waiting.len());
        if untold > 0 {
            let cache = &self.plan.name;
            tracing::error!(
                cache,
                untold,
                "other gateways have not been told of purges and will not be"
            );
        }
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
        let mut entries = disk.load(key.hash).await;
        // Those that a purge has taken meanwhile, which may be forgotten by now, are not found again.
        entries.retain(|entry| self.purges.hold(entry).is_some());
        let spared = entries.iter().filter(|entry| self.purges.spare(entry, clock::now()));
        spared.for_each(|entry| self.memory.put_back(entry));
        Known::of(entries).into()
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
            let (memory, purges) = (self.memory.clone(), self.purges.clone());
            let (hash, body) = (entry.key.hash, body.clone());
            disk.raise(&body.clone(), &self.room, move |pieces| {
                let is_it = |entry: &Entry| {
                    matches!(&entry.content, Content::OnDisk(other) if Arc::ptr_eq(other, &body))
                };
                let raised = |entry: &Entry| {
                    let raised = entry.with(Content::Whole(pieces.clone()));
                    purges.spare(&raised, clock::now()).then_some(raised)
                };
                memory.exchange(hash, is_it, raised);
            });
        }
    }

    /// Whether a body is so long that it is on disk, not in memory.
    fn is_long(&self, content: &Content) -> bool {
        content.held() > self.plan.max_object.get() / LONG
    }

    /// Store `entry`, unless a purge takes it that came since it was asked for. Parts of a body are joined with those that
    /// are stored of it (RFC 9111 §3.4).
    pub fn put(&self, entry: Arc<Entry>) {
        // Not only when it is used: a sweep that has passed it by forgets the purge.
        if !self.purges.spare(&entry, clock::now()) {
            self.forget_key(entry.key.hash);
            return;
        }
        if self.has_whole_of(&entry) {
            return;
        }
        let has_body_on_disk = matches!(entry.content, Content::OnDisk(_));
        if let Some(disk) = self.disk.as_ref().filter(|_| !has_body_on_disk) {
            // What is there in its place is older. This comes first, for memory may hand the new one on at once.
            disk.forget(&entry);
        }
        let entry = self.memory.put(entry, |entry, stored| self.joined(entry, stored));
        if let Some(disk) = &self.disk
            && (has_body_on_disk || self.is_long(&entry.content) && disk.wants(&entry))
            && !self.put_on_disk(disk, &entry)
            && has_body_on_disk
        {
            // Its head there is not the one that holds.
            self.remove(&entry);
        }
    }

    /// Whether `entry` has parts of a body of which all is stored.
    fn has_whole_of(&self, entry: &Entry) -> bool {
        let is_whole = |stored: &Entry| {
            !matches!(stored.content, Content::Partial(_))
                && stored.is_variant(entry)
                && stored.is_same_body(entry)
                && stored.content.is_there()
                && self.purges.spare(stored, clock::now())
        };
        matches!(entry.content, Content::Partial(_))
            && self
                .memory
                .peek(entry.key.hash)
                .is_some_and(|stored| stored.entries().iter().any(|stored| is_whole(stored)))
    }

    /// What `entry`, which has parts of a body, and the one that is stored have together; `None` where they have no body
    /// in common.
    fn joined(&self, entry: &Entry, stored: &Entry) -> Option<Entry> {
        match (&entry.content, &stored.content) {
            (Content::Partial(own), Content::Partial(other))
                if entry.is_same_body(stored) && self.purges.spare(stored, clock::now()) =>
            {
                Some(entry.with(own.joined(other).into()))
            }
            _ => None,
        }
    }

    /// Nothing of the key of this hash holds any more.
    pub(super) fn forget_key(&self, hash: u128) {
        self.memory.forget(hash);
        if let Some(disk) = &self.disk {
            disk.forget_key(hash);
        }
    }

    /// Have `entry` written, and its body let go from memory once that is done. False where that is not done.
    fn put_on_disk(&self, disk: &Arc<Disk>, entry: &Arc<Entry>) -> bool {
        let (memory, purges) = (self.memory.clone(), self.purges.clone());
        let written = entry.clone();
        disk.write(entry, &self.room, move |content| {
            let is_it = |stored: &Entry| stored.is(&written);
            memory.exchange(written.key.hash, is_it, |entry| {
                let written = entry.with(content.clone());
                purges.spare(&written, clock::now()).then_some(written)
            });
        })
    }
}

/// What goes for want of room goes to disk, where there is one.
pub(super) fn gone(disk: Option<Arc<Disk>>, room: Arc<Room>) -> impl Fn(&Arc<Entry>) {
    move |entry| {
        if let Some(disk) = &disk {
            disk.take(entry, &room);
        }
    }
}
