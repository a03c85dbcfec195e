//! Caches as they are at this moment, what is stored for a URL, and purges.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_core::cache::key::Url;

use super::Engine;
use crate::net::clock;
use crate::objects::cache::fleet::WORD;
use crate::objects::cache::{AskedUrl, Cache, Entry, Fleet, PurgeRequest, Urls, written};
use crate::snapshot::Snapshot;

/// A cache.
#[derive(Debug, Serialize)]
pub struct CacheStatus {
    /// Its name.
    pub name: String,
    /// Bytes that it may take.
    pub memory_bytes: u64,
    /// Bytes that what is stored takes.
    pub used_bytes: u64,
    /// Bytes that what is being filled takes.
    pub filling_bytes: u64,
    /// Keys of what is stored.
    pub objects: u64,
    /// Responses that are fetched just now.
    pub fills: usize,
    /// What it keeps on disk; null: nothing.
    pub disk: Option<DiskStatus>,
    /// The gateways that it is purged together with; null: none.
    pub purges: Option<FleetStatus>,
}

/// How the purges of a cache are shared.
#[derive(Debug, Serialize)]
pub struct FleetStatus {
    /// The store.
    pub store: String,
    /// The stream there.
    pub stream: String,
    /// Whether all that others have told is applied, and what they will tell is read.
    pub up: bool,
    /// Why not.
    pub cause: Option<String>,
    /// The id of the message that was applied last; null: it has no place in the stream yet.
    pub place: Option<String>,
    /// Purges that others have not been told of yet.
    pub waiting: usize,
}

/// What a cache keeps on disk.
#[derive(Debug, Serialize)]
pub struct DiskStatus {
    /// The directory.
    pub path: String,
    /// Bytes that it may take.
    pub size_bytes: u64,
    /// Bytes that it takes.
    pub used_bytes: u64,
    /// Stored responses.
    pub objects: u64,
}

/// A stored response.
#[derive(Debug, Serialize)]
pub struct EntryStatus {
    /// The cache.
    pub cache: String,
    /// The hash of its key.
    pub key: String,
    /// The URL, as its key has it.
    pub url: String,
    /// What the fields had that it was selected by; null: it had none.
    pub vary: BTreeMap<String, Option<String>>,
    /// Its status.
    pub status: u16,
    /// Bytes of its body.
    pub bytes: u64,
    /// How many of them are stored: fewer where only parts of it are. Of slices those in memory count.
    pub held_bytes: u64,
    /// Its age in seconds.
    pub age_seconds: f64,
    /// Seconds until it is stale; below 0: since.
    pub ttl_seconds: i64,
    /// What says for how long it is fresh.
    pub freshness_by: &'static str,
    /// The hashes of its tags.
    pub tags: Vec<String>,
    /// Where it is stored.
    pub tier: &'static str,
    /// How often it was served since it was stored or renewed.
    pub hits: u64,
    /// Whether a purge has made it stale.
    pub soft_purged: bool,
}

/// A question for what is stored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntriesQuestion {
    /// The URL.
    url: String,
    /// The cache; absent: any.
    cache: Option<String>,
}

impl Engine {
    /// All caches, in the plan's order.
    pub(super) fn caches(&self) -> Vec<CacheStatus> {
        let status = |cache: &Arc<Cache>| {
            let (used_bytes, objects) = cache.stored();
            CacheStatus {
                name: cache.plan.name.clone(),
                memory_bytes: cache.plan.memory.get(),
                used_bytes,
                filling_bytes: cache.room.taken(),
                objects,
                fills: cache.fills(),
                disk: disk_status(cache),
                purges: cache.fleet.as_deref().map(fleet_status),
            }
        };
        self.snapshot().caches.iter().map(status).collect()
    }

    /// What is stored for a URL.
    pub(super) fn cache_entries(
        &self,
        question: &EntriesQuestion,
    ) -> Result<Vec<EntryStatus>, String> {
        let url = AskedUrl::read(&question.url)?;
        let snapshot = self.snapshot();
        let mut found = Vec::new();
        for cache in named(&snapshot, question.cache.as_deref())? {
            let hashes: Vec<_> = urls_of(&snapshot, cache)
                .into_iter()
                .flat_map(|urls| urls.hashes(&url.url()).collect::<Vec<_>>())
                .collect();
            let entries = cache.entries().filter(|entry| hashes.contains(&entry.key.url));
            let (slices, in_memory): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.is_slice());
            // On disk is found what has the URL and nothing more as its key.
            let mut on_disk: Vec<_> =
                hashes.iter().flat_map(|&hash| cache.load_now(hash)).collect();
            on_disk.retain(|entry| {
                let is_it = |other: &Arc<Entry>| other.key == entry.key && other.vary == entry.vary;
                !in_memory.iter().any(is_it)
            });
            let in_memory = in_memory.iter().map(|entry| (entry, entry.content.tier()));
            let all = in_memory.chain(on_disk.iter().map(|entry| (entry, "disk")));
            found.extend(all.filter_map(|(entry, tier)| {
                let mut status = status(cache, entry, tier)?;
                status.held_bytes += held_in_slices(entry, &slices);
                Some(status)
            }));
        }
        Ok(found)
    }

    /// Purge what is said of the cache of this name; empty: of all. Other gateways that share one are told of it, which is
    /// waited for where their store answers.
    pub(super) fn purge(&self, name: &str, request: &PurgeRequest) -> Result<(), String> {
        let snapshot = self.snapshot();
        let caches = named(&snapshot, Some(name).filter(|name| !name.is_empty()))?;
        let mut telling = Vec::new();
        for cache in caches {
            let purging = request.purging(urls_of(&snapshot, cache).map(|urls| &**urls))?;
            let purged = cache.purge([purging], &self.common.long_work);
            telling.extend(cache.fleet.iter().map(|fleet| (fleet, fleet.tell(request))));
            purged?;
        }
        for (fleet, number) in telling {
            fleet.waiting.is_told(number, WORD);
        }
        Ok(())
    }
}

/// The caches of this name; of none: all.
fn named<'s>(snapshot: &'s Snapshot, name: Option<&str>) -> Result<Vec<&'s Arc<Cache>>, String> {
    let is_meant = |cache: &&Arc<Cache>| name.is_none_or(|name| cache.plan.name == name);
    let found: Vec<_> = snapshot.caches.iter().filter(is_meant).collect();
    match name {
        Some(name) if found.is_empty() => Err(format!("there is no cache `{name}`")),
        _ => Ok(found),
    }
}

/// How the routes that ask `cache` make keys of URLs; `None`: none does.
pub(super) fn urls_of<'s>(snapshot: &'s Snapshot, cache: &Arc<Cache>) -> Option<&'s Arc<Urls>> {
    let of_routes = snapshot.caches_of_routes.iter().flatten();
    of_routes.filter(|of| Arc::ptr_eq(&of.cache, cache)).map(|of| &of.urls).next()
}

fn fleet_status(fleet: &Fleet) -> FleetStatus {
    let state = fleet.state();
    FleetStatus {
        store: fleet.plan.store.clone(),
        stream: fleet.plan.stream.clone(),
        up: state.cause.is_none(),
        cause: state.cause,
        place: state.place.map(|place| place.to_string()),
        waiting: fleet.waiting.len(),
    }
}

fn disk_status(cache: &Cache) -> Option<DiskStatus> {
    let (plan, disk) = (cache.plan.disk.as_ref()?, cache.disk()?);
    let (used_bytes, objects) = disk.stored();
    Some(DiskStatus { path: plan.path.clone(), size_bytes: plan.size.get(), used_bytes, objects })
}

/// Bytes of `entry` that are in these slices.
fn held_in_slices(entry: &Entry, slices: &[Arc<Entry>]) -> u64 {
    let Some(sliced) = entry.sliced() else { return 0 };
    let own = slices.iter().filter(|slice| sliced.has(&entry.key, &slice.key));
    own.map(|slice| slice.content.held()).sum()
}

/// `entry` as it is now; `None` where it was purged.
fn status(cache: &Cache, entry: &Entry, tier: &'static str) -> Option<EntryStatus> {
    let now = clock::now();
    if !cache.purges.spare(entry, now) {
        return None;
    }
    let terms = entry.terms_now();
    let vary = entry.vary.fields().map(|(name, value)| {
        (name.to_string(), value.map(|value| String::from_utf8_lossy(value).into_owned()))
    });
    Some(EntryStatus {
        cache: cache.plan.name.clone(),
        key: format!("{:032x}", entry.key.hash),
        url: Url::of_key(&entry.key.text).map(|url| written(&url)).unwrap_or_default(),
        vary: vary.collect(),
        status: entry.status.as_u16(),
        bytes: entry.content.length().unwrap_or(0),
        held_bytes: entry.content.held(),
        age_seconds: terms.age(now).as_secs_f64(),
        ttl_seconds: terms.ttl(now),
        freshness_by: terms.by.label(),
        tags: entry.tags.hashes().iter().map(|hash| format!("{hash:016x}")).collect(),
        tier,
        hits: entry.hits(),
        soft_purged: entry.is_softened(),
    })
}
