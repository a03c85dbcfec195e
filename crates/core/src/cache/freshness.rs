//! How long a response is fresh (RFC 9111 §4.2).

/// How that is found out.
#[derive(Debug)]
pub struct FreshnessRule;

/// How it is known how long a response is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// By a targeted field (RFC 9213).
    Targeted,
    /// By `s-maxage`.
    SMaxage,
    /// By `max-age`.
    MaxAge,
    /// By `Expires`.
    Expires,
    /// By the route's `ttl`.
    Ttl,
    /// By `Last-Modified` (§4.2.2).
    Heuristic,
    /// It is not: it is never fresh.
    None,
}
