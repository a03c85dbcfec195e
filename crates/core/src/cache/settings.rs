//! What a route's cache is set to.

use std::time::Duration;

use http::{HeaderName, request};

use super::freshness::FreshnessRule;
use super::key::KeyRule;
use super::purge_rule::PurgeRule;
use super::vary::VaryRule;
use crate::condition::{Conditions, Facts, Wanted};
use crate::plan::cache::statuses;
use crate::plan::{self, CacheSlice, CachedCookies, IgnoredField, Issue, RequestDirectives};

/// What a route's cache is set to.
#[derive(Debug)]
pub struct Settings {
    /// What requests have in common that get the same response.
    pub key: KeyRule,
    /// How long responses are fresh.
    pub freshness: FreshnessRule,
    /// How long they may be used when they are not fresh any more.
    pub stale: Stale,
    /// What is done with those that set cookies.
    pub cookies: CachedCookies,
    /// Whether `Set-Cookie` is neither looked at nor stored.
    pub ignores_set_cookie: bool,
    /// How fields are compared that responses were selected by.
    pub vary: VaryRule,
    /// Fields that name what can be purged together.
    pub tags: Box<[HeaderName]>,
    /// How long a request waits for the response to another one with its key.
    pub lock: Duration,
    /// Whether all that clients say in `Cache-Control` counts.
    pub honours_requests: bool,
    /// How often a response must have been asked for before it is stored.
    pub min_uses: u32,
    /// Bytes of the slices by which large objects are fetched and stored; absent: they are not.
    pub slice: Option<u64>,
    /// Which clients may purge a URL by the method PURGE; `None`: it is a method like any other.
    pub purge: Option<PurgeRule>,
    bypass: Box<[Conditions]>,
    no_store: Box<[Conditions]>,
}

/// How long a response may be used when it is not fresh any more, unless it forbids that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stale {
    /// In place of an error of the origin (RFC 5861 §4).
    pub if_error: Duration,
    /// While the origin cannot be reached (RFC 9111 §4.2.4).
    pub if_disconnected: Duration,
    /// While it is validated in the background (RFC 5861 §3).
    pub while_revalidate: Duration,
}

impl Settings {
    /// Reads the options `wanted` of the route `route`, which stand at `at`, for the gateway of this name. What is wrong
    /// is added to `issues` and left out.
    pub fn build(
        wanted: &plan::RouteCache,
        gateway: &str,
        route: &str,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Self {
        let ignores = |field| wanted.ignore.contains(&field);
        let own = format!("{gateway}-cache-control");
        let targeted = std::iter::once(&own).chain(&wanted.targeted);
        let ttl = wanted.ttl.iter().filter_map(|(status, ttl)| {
            let statuses = statuses(status);
            if statuses.is_none() {
                let wrong =
                    format!("expected a status like 404, or a class like 5xx, not `{status}`");
                issues.push(Issue::new(format!("{at}.ttl"), wrong));
            }
            Some((statuses?, ttl.duration()))
        });
        let ttl: Box<[_]> = ttl.collect();
        let stale = &wanted.stale;
        Self {
            freshness: FreshnessRule {
                targeted: names(targeted, &format!("{at}.targeted"), issues),
                ttl,
                ignores_cache_control: ignores(IgnoredField::CacheControl),
                ignores_expires: ignores(IgnoredField::Expires),
            },
            key: KeyRule::build(&wanted.key, route, &format!("{at}.key"), issues),
            stale: Stale {
                if_error: stale.if_error.duration(),
                if_disconnected: stale.if_disconnected.duration(),
                while_revalidate: stale.while_revalidate.duration(),
            },
            cookies: wanted.set_cookie,
            ignores_set_cookie: ignores(IgnoredField::SetCookie),
            vary: VaryRule { comparison: wanted.vary, ignored: ignores(IgnoredField::Vary) },
            tags: names(&wanted.tags, &format!("{at}.tags"), issues),
            lock: wanted.lock.duration(),
            honours_requests: wanted.request_directives == RequestDirectives::Honour,
            min_uses: wanted.min_uses.get(),
            slice: wanted.slice.map(CacheSlice::get),
            purge: PurgeRule::build(wanted),
            bypass: conditions(&wanted.bypass, &format!("{at}.bypass"), issues),
            no_store: conditions(&wanted.no_store, &format!("{at}.no_store"), issues),
        }
    }

    /// Whether a request goes to the origin in any case.
    pub fn bypasses(&self, request: &request::Parts) -> bool {
        is_any_met(&self.bypass, request)
    }

    /// Whether the response to a request is not stored.
    pub fn forbids_storing(&self, request: &request::Parts) -> bool {
        is_any_met(&self.no_store, request)
    }
}

fn is_any_met(conditions: &[Conditions], request: &request::Parts) -> bool {
    let (method, query, headers) = (&request.method, request.uri.query(), &request.headers);
    conditions.iter().any(|each| each.unmet(Facts { method, query, headers }).is_none())
}

fn conditions(
    wanted: &[plan::CacheCondition],
    at: &str,
    issues: &mut Vec<Issue>,
) -> Box<[Conditions]> {
    let conditions = wanted.iter().enumerate().map(|(index, wanted)| {
        let plan::CacheCondition { methods, headers, query, cookies } = wanted;
        let wanted = Wanted { methods, headers, query, cookies };
        Conditions::build(wanted, &format!("{at}.{index}"), issues)
    });
    conditions.collect()
}

/// Names of fields; those that are none are added to `issues`.
fn names<'p>(
    wanted: impl IntoIterator<Item = &'p String>,
    at: &str,
    issues: &mut Vec<Issue>,
) -> Box<[HeaderName]> {
    let names = wanted.into_iter().filter_map(|name| {
        let found = HeaderName::try_from(name);
        if found.is_err() {
            issues.push(Issue::new(at, format!("`{name}` is not a field name")));
        }
        found.ok()
    });
    names.collect()
}
