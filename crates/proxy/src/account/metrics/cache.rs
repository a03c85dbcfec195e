//! What is counted of caches.

use std::sync::Arc;

use crate::account::exposition::{Exposition, Kind};
use crate::account::sharded::{Counter, Sharded, SharedCounter};

/// What became of a request in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheResult {
    /// It was answered with what is stored and fresh.
    Hit,
    /// It was answered with what is stored and not fresh any more.
    Stale,
    /// The origin said that what is stored still holds.
    Revalidated,
    /// Nothing was stored for it.
    Miss,
    /// What was stored did not hold any more.
    Expired,
    /// It was answered with the response to another request.
    Collapsed,
    /// It passed the cache by.
    Bypass,
    /// It wanted an answer from the cache only, which has none.
    Refused,
    /// It purged what was stored.
    Purged,
}

impl CacheResult {
    const ALL: [Self; 9] = [
        Self::Hit,
        Self::Stale,
        Self::Revalidated,
        Self::Miss,
        Self::Expired,
        Self::Collapsed,
        Self::Bypass,
        Self::Refused,
        Self::Purged,
    ];

    /// What metrics, the access log and explain call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Expired => "expired",
            Self::Collapsed => "collapsed",
            Self::Bypass => "bypass",
            Self::Refused => "refused",
            Self::Purged => "purged",
        }
    }
}

/// What a fill came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillResult {
    /// The response was stored.
    Stored,
    /// It was given only to the requests that asked for it.
    NotStored,
    /// It broke off.
    Failed,
    /// All clients that asked for it left, and it was given up.
    GivenUp,
}

impl FillResult {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Stored, "stored"),
        (Self::NotStored, "not_stored"),
        (Self::Failed, "failed"),
        (Self::GivenUp, "given_up"),
    ];
}

/// What a purge takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeKind {
    /// A URL.
    Url,
    /// A key.
    Key,
    /// A tag.
    Tag,
    /// A prefix of URLs.
    Prefix,
    /// A host.
    Host,
    /// Everything.
    All,
    /// A URL that an unsafe request has changed.
    Invalidation,
}

impl PurgeKind {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Url, "url"),
        (Self::Key, "key"),
        (Self::Tag, "tag"),
        (Self::Prefix, "prefix"),
        (Self::Host, "host"),
        (Self::All, "all"),
        (Self::Invalidation, "invalidation"),
    ];
}

/// What became of a purge that gateways share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetPurge {
    /// Others were told of it.
    Told,
    /// Another has told of it, and it was made here too.
    Applied,
    /// What was told is none that can be read.
    Skipped,
    /// Some may have been missed, and everything was purged.
    Missed,
}

impl FleetPurge {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Told, "told"),
        (Self::Applied, "applied"),
        (Self::Skipped, "skipped"),
        (Self::Missed, "missed"),
    ];
}

/// Counts of one cache.
#[derive(Debug)]
pub struct CacheMetrics {
    name: Box<str>,
    fills: Sharded<[Counter; FillResult::ALL.len()]>,
    purges: [SharedCounter; PurgeKind::ALL.len()],
    fleet: [SharedCounter; FleetPurge::ALL.len()],
}

impl CacheMetrics {
    pub(super) fn new(name: &str, workers: usize) -> Self {
        Self {
            name: name.into(),
            fills: Sharded::new(workers),
            purges: Default::default(),
            fleet: Default::default(),
        }
    }

    /// Counts what a fill came to.
    pub fn filled(&self, worker: usize, result: FillResult) {
        self.fills.of(worker)[result as usize].add(1);
    }

    /// Counts a purge.
    pub fn purged(&self, kind: PurgeKind) {
        self.purges[kind as usize].add(1);
    }

    /// Counts purges that gateways share.
    pub fn shared(&self, became: FleetPurge, count: usize) {
        self.fleet[became as usize].add(count as u64);
    }
}

/// Counts of the requests of one route that asks a cache.
#[derive(Debug)]
pub struct CachedRouteMetrics {
    cache: Box<str>,
    route: Box<str>,
    parts: Sharded<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    results: [Counter; CacheResult::ALL.len()],
    saved: Counter,
}

impl CachedRouteMetrics {
    pub(super) fn new(cache: &str, route: &str, workers: usize) -> Self {
        Self { cache: cache.into(), route: route.into(), parts: Sharded::new(workers) }
    }

    /// Counts what became of a request.
    pub fn answered(&self, worker: usize, result: CacheResult) {
        self.parts.of(worker).results[result as usize].add(1);
    }

    /// Counts bytes of a body that the origin did not have to send.
    pub fn saved(&self, worker: usize, bytes: u64) {
        self.parts.of(worker).saved.add(bytes);
    }
}

/// What is counted of caches, and of the routes that ask them.
pub(super) fn families(
    page: &mut Exposition,
    caches: &[Arc<CacheMetrics>],
    routes: &[Arc<CachedRouteMetrics>],
) {
    let mut family = page.family(
        "tidegate_cache_requests_total",
        Kind::Counter,
        "Requests by what became of them in a cache.",
    );
    for route in routes {
        for result in CacheResult::ALL {
            let labels =
                [("cache", &*route.cache), ("route", &*route.route), ("result", result.label())];
            family.sample(&labels, route.parts.sum(|part| &part.results[result as usize]));
        }
    }
    let mut family = page.family(
        "tidegate_cache_saved_bytes_total",
        Kind::Counter,
        "Bytes of bodies that came from a cache and not from the origin.",
    );
    for route in routes {
        let labels = [("cache", &*route.cache), ("route", &*route.route)];
        family.sample(&labels, route.parts.sum(|part| &part.saved));
    }
    let mut family = page.family(
        "tidegate_cache_fills_total",
        Kind::Counter,
        "Responses that were fetched to be stored, by what came of it.",
    );
    for cache in caches {
        for (result, label) in FillResult::ALL {
            let count = cache.fills.sum(|results| &results[result as usize]);
            family.sample(&[("cache", &*cache.name), ("result", label)], count);
        }
    }
    let mut family =
        page.family("tidegate_cache_purges_total", Kind::Counter, "Purges by what they take.");
    for cache in caches {
        for (kind, label) in PurgeKind::ALL {
            let count = cache.purges[kind as usize].get();
            family.sample(&[("cache", &*cache.name), ("kind", label)], count);
        }
    }
    let mut family = page.family(
        "tidegate_cache_fleet_purges_total",
        Kind::Counter,
        "Purges that gateways share, by what became of them.",
    );
    for cache in caches {
        for (became, label) in FleetPurge::ALL {
            let count = cache.fleet[became as usize].get();
            family.sample(&[("cache", &*cache.name), ("result", label)], count);
        }
    }
}
