//! What the rules decide, case by case.
#![allow(clippy::unwrap_used)]

mod conditional;
mod directives;
mod freshening;
mod key;
mod oracle;
mod range;
mod storing;
mod vary;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::freshness::FreshnessRule;
use super::key::KeyRule;
use super::vary::VaryRule;
use super::{Settings, Stale};
use crate::plan::{CacheKey, CacheKeyQuery, CachedCookies, VaryComparison};

/// Fields that may have any bytes beyond ASCII too.
fn fields<V: AsRef<[u8]>>(fields: &[(&str, V)]) -> HeaderMap {
    let field = |(name, value): &(&str, V)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_ref()).unwrap())
    };
    fields.iter().map(field).fold(HeaderMap::new(), |mut all, (name, value)| {
        all.append(name, value);
        all
    })
}

/// What a route's cache is set to where it says nothing, with short windows for stale responses.
fn settings() -> Settings {
    let query = CacheKeyQuery { allow: None, deny: None, sort: false };
    let key = CacheKey { query, headers: Vec::new(), cookies: Vec::new(), route: false };
    Settings {
        key: KeyRule::build(&key, "shop", "routes.0.cache.key", &mut Vec::new()),
        freshness: FreshnessRule {
            targeted: [HeaderName::from_static("cdn-cache-control")].into(),
            ttl: [].into(),
            ignores_cache_control: false,
            ignores_expires: false,
        },
        stale: Stale {
            while_revalidate: Duration::from_secs(1),
            if_error: Duration::from_secs(2),
            if_disconnected: Duration::from_secs(3),
        },
        cookies: CachedCookies::Explicit,
        ignores_set_cookie: false,
        vary: VaryRule { comparison: VaryComparison::Normalised, ignored: false },
        tags: [].into(),
        lock: Duration::from_secs(5),
        honours_requests: false,
        min_uses: 1,
    }
}
