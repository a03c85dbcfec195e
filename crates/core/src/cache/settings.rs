//! What a route's cache is set to.

use std::time::Duration;

use http::HeaderName;

use super::freshness::FreshnessRule;
use super::key::KeyRule;
use super::vary::VaryRule;
use crate::plan::CachedCookies;

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
