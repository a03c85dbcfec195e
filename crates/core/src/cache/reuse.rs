//! What becomes of a request: the table of what is stored, what is asked for, and how the origin is.
//!
//! Nothing here overrules what the response forbids: one that must be validated always is never served without, and one
//! that must not be served stale never is (RFC 9111 §4.2.4).

use std::time::Duration;

use http::Method;

use super::Terms;
use super::cache_status::Why;
use super::directives::OfRequest;
use crate::time::{Moment, Span};

/// What is stored for a request.
#[derive(Debug, Clone, Copy)]
pub enum Stored<'a> {
    /// Nothing of its key.
    Nothing,
    /// Responses of its key that were selected by other fields than it has.
    OtherVariants,
    /// A response for it.
    Found(&'a Terms),
    /// Parts of a response for it, which are not all that it asks for.
    Partial(&'a Terms),
}

/// What a request asks for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Whether only the origin can answer it: it has content, or conditions that are not the cache's to judge.
    pub is_for_origin: bool,
    /// Whether it is `GET` with a `Range`.
    pub wants_part: bool,
    /// Whether it goes to the origin in any case.
    pub bypasses: bool,
    /// What its `Cache-Control` says.
    pub directives: &'a OfRequest,
    /// Whether all of that counts, or only `no-store` and `only-if-cached`.
    pub honoured: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is answered from the cache.
    Serve,
    /// It is answered from the cache with what is not fresh any more.
    ServeStale(Stale),
    /// The origin is asked whether what is stored still holds.
    Validate(Why),
    /// The origin is asked for the response, which may be stored.
    Fetch(Why),
    /// The part that is asked for is taken of a response that comes just now, or the origin is asked for it.
    FetchPart(Why),
    /// It passes the cache by.
    Bypass(Why),
    /// It is refused: it wants an answer from the cache only (`only-if-cached`, RFC 9111 §5.2.1.7).
    Refuse,
}

/// Why a response is served that is not fresh any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// It may be for a while; the origin is asked meanwhile (RFC 5861 §3).
    WhileRevalidate,
    /// The client takes it so (`max-stale`).
    Accepted,
    /// The origin cannot be reached.
    Disconnected,
    /// The origin answers with an error (RFC 5861 §4).
    Error,
}

impl Stale {
    /// What `Cache-Status`, explain and the access log call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::WhileRevalidate => "stale-while-revalidate",
            Self::Accepted => "max-stale",
            Self::Disconnected => "disconnected",
            Self::Error => "stale-if-error",
        }
    }
}

/// What becomes of a request at `now`, where the origin can be reached or not.
pub fn decide(
    stored: Stored<'_>,
    asked: &Asked<'_>,
    is_reachable: &dyn Fn() -> bool,
    now: Moment,
) -> Decision {
    if !matches!(*asked.method, Method::GET | Method::HEAD) {
        return Decision::Bypass(Why::Method);
    }
    if asked.is_for_origin || asked.directives.no_store {
        return Decision::Bypass(Why::Request);
    }
    let decision = match stored {
        Stored::Nothing => Decision::Fetch(Why::UriMiss),
        Stored::OtherVariants => Decision::Fetch(Why::VaryMiss),
        Stored::Found(terms) => of_stored(terms, asked, is_reachable, now),
        // To ask for what is missing of it validates the rest (RFC 9111 §3.4).
        Stored::Partial(terms) => match of_stored(terms, asked, is_reachable, now) {
            Decision::Validate(why @ (Why::Bypass | Why::Request)) => Decision::Fetch(why),
            _ => Decision::Fetch(Why::Partial),
        },
    };
    match decision {
        Decision::Serve | Decision::ServeStale(_) => decision,
        _ if asked.directives.only_if_cached => Decision::Refuse,
        // The response to these is not all of what would be stored.
        Decision::Fetch(why) | Decision::Validate(why) if asked.method == Method::HEAD => {
            Decision::Bypass(why)
        }
        Decision::Fetch(why) if asked.wants_part => Decision::FetchPart(why),
        _ => decision,
    }
}

fn of_stored(
    terms: &Terms,
    asked: &Asked<'_>,
    is_reachable: &dyn Fn() -> bool,
    now: Moment,
) -> Decision {
    if asked.bypasses {
        return Decision::Validate(Why::Bypass);
    }
    if terms.validate_always {
        return Decision::Validate(Why::Stale);
    }
    let wanted = asked.honoured.then_some(asked.directives);
    if wanted.is_some_and(|wanted| is_too_old(terms, wanted, now)) {
        return Decision::Validate(Why::Request);
    }
    if terms.is_fresh(now) {
        return Decision::Serve;
    }
    let staleness = terms.staleness(now);
    let accepted = wanted.and_then(|wanted| wanted.max_stale);
    if !terms.never_stale {
        if is_within(staleness, terms.while_revalidate) && is_reachable() {
            return Decision::ServeStale(Stale::WhileRevalidate);
        }
        if accepted.is_some_and(|most| staleness <= most) {
            return Decision::ServeStale(Stale::Accepted);
        }
        if is_within(staleness, terms.if_disconnected) && !is_reachable() {
            return Decision::ServeStale(Stale::Disconnected);
        }
    }
    Decision::Validate(Why::Stale)
}

/// Whether what has been stale for so long may be used for as long as `window` says; where that is nothing it may not,
/// not even in the first moment.
fn is_within(staleness: Duration, window: Span) -> bool {
    let window = window.duration();
    !window.is_zero() && staleness <= window
}

/// Whether a client that says so does not want what is stored (RFC 9111 §5.2.1).
fn is_too_old(terms: &Terms, wanted: &OfRequest, now: Moment) -> bool {
    let left = terms.lifetime.duration().saturating_sub(terms.age(now));
    wanted.no_cache
        || wanted.max_age.is_some_and(|most| terms.age(now) > most)
        || wanted.min_fresh.is_some_and(|least| left < least)
}

/// What the origin's answer to a request came to that could be answered from the cache otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It could not be asked, or did not answer.
    Unreachable,
    /// It answered with this status.
    Status(u16),
}

/// Whether a stored response is served at `now` in place of `trouble`, and why; what a client `wanted` is given where it
/// counts.
pub fn instead_of(
    trouble: Trouble,
    terms: &Terms,
    wanted: Option<&OfRequest>,
    now: Moment,
) -> Option<Stale> {
    if terms.never_stale {
        return None;
    }
    let staleness = terms.staleness(now);
    let within = |most: Span| is_within(staleness, most);
    let accepted = wanted.and_then(|said| said.stale_if_error).unwrap_or_default();
    let if_error = terms.if_error.max(accepted.into());
    match trouble {
        Trouble::Unreachable if within(terms.if_disconnected) => Some(Stale::Disconnected),
        Trouble::Unreachable | Trouble::Status(500 | 502 | 503 | 504) if within(if_error) => {
            Some(Stale::Error)
        }
        _ => None,
    }
}
