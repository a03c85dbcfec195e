//! The page of metrics: what was counted, and how things are at this moment.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::predictions;
use crate::account::exposition::{Exposition, Kind};
use crate::account::metrics::Metrics;
use crate::net::clock;
use crate::objects::auth::Authenticator;
use crate::objects::cache::Cache;
use crate::objects::rate::RateLimit;
use crate::objects::store::Store;
use crate::snapshot::Snapshot;
use crate::upstream::Upstream;
use crate::upstream::admission::Occupancy;

/// All metrics in the Prometheus text format 0.0.4, while `snapshot` is served. What else counts adds its families here.
pub(super) fn page(metrics: &Metrics, snapshot: &Snapshot) -> String {
    let mut page = Exposition::default();
    metrics.families(&mut page);
    occupancy(&mut page, &snapshot.upstreams);
    panic_mode(&mut page, &snapshot.upstreams);
    predictions::metrics(&mut page, &snapshot.upstreams);
    endpoints(&mut page, &snapshot.upstreams);
    rate_limits(&mut page, &snapshot.rate_limits);
    ages_of_keys(&mut page, &snapshot.authenticators);
    stores(&mut page, &snapshot.stores);
    fleets(&mut page, &snapshot.caches);
    caches(&mut page, &snapshot.caches);
    let dropped = snapshot.access_log.as_ref().map_or(0, |log| log.dropped());
    page.family(
        "tidegate_access_log_dropped_lines_total",
        Kind::Counter,
        "Lines lost because they came faster than they could be written.",
    )
    .sample(&[], dropped);
    page.into_text()
}

/// What the upstreams have to do.
fn occupancy(page: &mut Exposition, upstreams: &[Arc<Upstream>]) {
    let now: Vec<_> = upstreams
        .iter()
        .map(|upstream| (upstream.metrics.name(), upstream.admission.occupancy()))
        .collect();
    let mut gauge = |name, help, value: fn(&Occupancy) -> Option<u32>| {
        let mut family = page.family(name, Kind::Gauge, help);
        for (upstream, occupancy) in &now {
            if let Some(value) = value(occupancy) {
                family.sample(&[("upstream", upstream)], value);
            }
        }
    };
    gauge(
        "tidegate_upstream_requests_in_flight",
        "Requests admitted and not finished.",
        |occupancy| Some(occupancy.in_flight),
    );
    gauge(
        "tidegate_upstream_requests_limit",
        "Requests that may be in flight; absent where as many as come.",
        |occupancy| occupancy.limit,
    );
    gauge("tidegate_upstream_requests_queued", "Requests that wait for admission.", |occupancy| {
        Some(occupancy.queued)
    });
}

/// Which upstreams have too few endpoints that are well.
fn panic_mode(page: &mut Exposition, upstreams: &[Arc<Upstream>]) {
    let mut family = page.family(
        "tidegate_upstream_panic_mode",
        Kind::Gauge,
        "Whether requests go to all endpoints in service, because too few are well (1), or not (0).",
    );
    for upstream in upstreams {
        let is_panicking = upstream.membership().is_panicking();
        family.sample(&[("upstream", upstream.metrics.name())], u8::from(is_panicking));
    }
}

/// How the endpoints are.
fn endpoints(page: &mut Exposition, upstreams: &[Arc<Upstream>]) {
    let memberships: Vec<_> = upstreams.iter().map(|upstream| upstream.membership()).collect();
    let members = || {
        memberships.iter().flat_map(|membership| &membership.members).map(|member| {
            let counts = &member.metrics;
            ([("upstream", &**counts.upstream()), ("endpoint", counts.address())], &member.endpoint)
        })
    };
    let mut family = page.family(
        "tidegate_endpoint_requests_in_flight",
        Kind::Gauge,
        "Requests sent to an endpoint and not finished.",
    );
    for (labels, endpoint) in members() {
        family.sample(&labels, endpoint.load.in_flight());
    }
    let mut family = page.family(
        "tidegate_endpoint_available",
        Kind::Gauge,
        "Whether an endpoint may get new requests (1) or not (0).",
    );
    let now = clock::now();
    for (labels, endpoint) in members() {
        family.sample(&labels, u8::from(endpoint.takes_requests(now)));
    }
}

/// Which stores answer.
fn stores(page: &mut Exposition, stores: &[Arc<Store>]) {
    let mut family =
        page.family("tidegate_store_up", Kind::Gauge, "Whether a store answers (1) or not (0).");
    for store in stores {
        family.sample(&[("store", &store.plan.name)], u8::from(store.state.is_up()));
    }
}

/// The caches whose purges gateways share.
fn fleets(page: &mut Exposition, caches: &[Arc<Cache>]) {
    let fleets =
        || caches.iter().filter_map(|cache| Some((&cache.plan.name, cache.fleet.as_ref()?)));
    let mut family = page.family(
        "tidegate_cache_fleet_up",
        Kind::Gauge,
        "Whether purges of other gateways are read (1) or not (0).",
    );
    for (cache, fleet) in fleets() {
        family.sample(&[("cache", cache)], u8::from(fleet.state().cause.is_none()));
    }
    let mut family = page.family(
        "tidegate_cache_fleet_waiting",
        Kind::Gauge,
        "Purges that other gateways have not been told of yet.",
    );
    for (cache, fleet) in fleets() {
        family.sample(&[("cache", cache)], fleet.waiting.len() as u64);
    }
}

/// What caches hold.
fn caches(page: &mut Exposition, caches: &[Arc<Cache>]) {
    let tiers: Vec<_> = caches.iter().flat_map(|cache| tiers(cache)).collect();
    let mut family =
        page.family("tidegate_cache_bytes", Kind::Gauge, "Bytes that what is stored takes.");
    for tier in &tiers {
        family.sample(&[("cache", tier.cache), ("tier", tier.name)], tier.bytes);
    }
    let mut family = page.family(
        "tidegate_cache_objects",
        Kind::Gauge,
        "Keys of what is stored in memory, and responses on disk.",
    );
    for tier in &tiers {
        family.sample(&[("cache", tier.cache), ("tier", tier.name)], tier.objects);
    }
    let mut family = page.family(
        "tidegate_cache_evictions_total",
        Kind::Counter,
        "Keys in memory, and responses on disk, that went for want of room.",
    );
    for tier in &tiers {
        let labels = [("cache", tier.cache), ("tier", tier.name), ("reason", "room")];
        family.sample(&labels, tier.evictions);
    }
    let disks: Vec<_> =
        caches.iter().filter_map(|cache| Some((&*cache.plan.name, cache.disk()?))).collect();
    let mut family = page.family(
        "tidegate_cache_disk_errors_total",
        Kind::Counter,
        "Reads and writes that failed (`io`), and files that were not as they were written (`broken`).",
    );
    for (cache, disk) in &disks {
        let counts = disk.counts();
        for (kind, count) in [("io", &counts.failures), ("broken", &counts.broken)] {
            family.sample(&[("cache", *cache), ("kind", kind)], count.load(Relaxed));
        }
    }
    let mut family = page.family(
        "tidegate_cache_disk_queue",
        Kind::Gauge,
        "Reads and writes that wait for a thread.",
    );
    for (cache, disk) in &disks {
        family.sample(&[("cache", *cache)], disk.waiting());
    }
}

/// A place where a cache keeps things.
struct Tier<'a> {
    cache: &'a str,
    name: &'static str,
    bytes: u64,
    objects: u64,
    evictions: u64,
}

/// Those of a cache.
fn tiers(cache: &Cache) -> impl Iterator<Item = Tier<'_>> {
    let name = &*cache.plan.name;
    let (bytes, objects) = cache.stored();
    let evictions = cache.evictions();
    let memory = Tier { cache: name, name: "memory", bytes, objects, evictions };
    let disk = cache.disk().map(|disk| {
        let (bytes, objects) = disk.stored();
        let evictions = disk.counts().evictions.load(Relaxed);
        Tier { cache: name, name: "disk", bytes, objects, evictions }
    });
    std::iter::once(memory).chain(disk)
}

/// What rate limits remember.
fn rate_limits(page: &mut Exposition, limits: &[Arc<RateLimit>]) {
    let now = clock::now();
    let mut family = page.family(
        "tidegate_rate_limit_keys",
        Kind::Gauge,
        "Keys that have spent something that is not back yet.",
    );
    for limit in limits {
        family.sample(&[("limit", &limit.plan.name)], limit.limit.live_keys(now));
    }
    let mut family = page.family(
        "tidegate_rate_limit_waiting",
        Kind::Gauge,
        "Requests that wait for their turn at a rate limit.",
    );
    for limit in limits {
        family.sample(&[("limit", &limit.plan.name)], limit.waiting());
    }
    let mut family = page.family(
        "tidegate_rate_limit_evictions_total",
        Kind::Counter,
        "Keys that were forgotten, for want of room, before all that they had spent was back.",
    );
    for limit in limits {
        family.sample(&[("limit", &limit.plan.name)], limit.limit.evictions());
    }
}

/// How old the keys of identity providers are.
fn ages_of_keys(page: &mut Exposition, authenticators: &[Arc<Authenticator>]) {
    let mut family = page.family(
        "tidegate_jwks_age_seconds",
        Kind::Gauge,
        "Time since an authenticator's keys were fetched; absent where there are none.",
    );
    for authenticator in authenticators {
        if let Some(keys) = authenticator.supplied_keys() {
            let name = &authenticator.plan.name;
            family.sample(&[("authenticator", name)], keys.age().as_secs_f64());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tidegate_core::balance::SplitMix64;

    use super::*;
    use crate::account::Accounts;
    use crate::objects::auth::live::LiveAuthenticators;
    use crate::snapshot::Live;
    use crate::testing;
    use crate::upstream::live::LiveEndpoints;
    use crate::upstream::outbound::Outbound;

    #[test]
    fn the_page_tells_how_upstreams_and_endpoints_are_now() {
        let plan = testing::plan();
        let accounts = Accounts::new(1);
        let live = Live {
            endpoints: &LiveEndpoints::default(),
            authenticators: &LiveAuthenticators::default(),
        };
        let snapshot = Snapshot::build(plan, None, live, &accounts).unwrap();
        let outbound = Outbound::new(0, SplitMix64::new(1), Arc::default());
        let _permit =
            snapshot.upstreams[0].try_admit(&outbound, tokio::time::Instant::now()).unwrap();
        let page = page(&accounts.metrics, &snapshot);
        let has = |line: &str| page.lines().any(|each| each == line);
        assert!(has("tidegate_upstream_requests_in_flight{upstream=\"app\"} 1"), "{page}");
        assert!(has("tidegate_upstream_panic_mode{upstream=\"app\"} 0"), "{page}");
        let endpoint = "{upstream=\"app\",endpoint=\"127.0.0.1:1\"}";
        assert!(has(&format!("tidegate_endpoint_requests_in_flight{endpoint} 0")), "{page}");
        assert!(has(&format!("tidegate_endpoint_available{endpoint} 1")), "{page}");
        assert!(has("tidegate_access_log_dropped_lines_total 0"), "{page}");
    }
}
