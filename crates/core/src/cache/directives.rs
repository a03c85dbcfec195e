//! What `Cache-Control` asks of a cache (RFC 9111 §5.2).

mod member;

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, PRAGMA, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use self::member::{Argument, Member};
use super::delta_seconds;
use crate::message::field;

/// Directives of a request (RFC 9111 §5.2.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfRequest {
    /// Age that the response may have at most.
    pub max_age: Option<Duration>,
    /// How long it may be stale; [`Duration::MAX`]: for any time.
    pub max_stale: Option<Duration>,
    /// How long it must still be fresh.
    pub min_fresh: Option<Duration>,
    /// Whether it must be validated before it is used.
    pub no_cache: bool,
    /// Whether nothing of the request or its response may be stored.
    pub no_store: bool,
    /// Whether only a stored response is wanted.
    pub only_if_cached: bool,
    /// How long it may be stale in place of an error (RFC 5861 §4).
    pub stale_if_error: Option<Duration>,
}

impl OfRequest {
    /// Those of a request with these fields. `Pragma: no-cache` counts where there is no `Cache-Control` (§5.4).
    pub fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        if !headers.contains_key(CACHE_CONTROL) {
            let mut pragmas = members(headers.get_all(PRAGMA));
            directives.no_cache = pragmas.any(|member| is(member.name, "no-cache"));
        }
        for member in members(headers.get_all(CACHE_CONTROL)) {
            match (&member.argument, directives.place(member.name)) {
                (Argument::Misquoted, _) => directives.no_store = true,
                (argument, Some(place)) => place.take(argument),
                (_, None) => {}
            }
        }
        directives
    }

    fn place(&mut self, name: &[u8]) -> Option<Place<'_>> {
        named(
            name,
            [
                ("max-age", Place::Seconds(&mut self.max_age)),
                ("max-stale", Place::AnyOrSeconds(&mut self.max_stale)),
                ("min-fresh", Place::Seconds(&mut self.min_fresh)),
                ("no-cache", Place::Demand(&mut self.no_cache)),
                ("no-store", Place::Demand(&mut self.no_store)),
                ("only-if-cached", Place::Demand(&mut self.only_if_cached)),
                ("stale-if-error", Place::Seconds(&mut self.stale_if_error)),
            ],
        )
    }
}

/// Directives of a response (RFC 9111 §5.2.2).
///
/// A number that cannot be read is zero, so that the response is stale (§4.2.1); of a directive with a number that is
/// there twice the first counts, of others the strictest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfResponse {
    /// The age until which it is fresh.
    pub max_age: Option<Duration>,
    /// The same for shared caches, such as this one.
    pub s_maxage: Option<Duration>,
    /// What of it must be validated before it is used.
    pub no_cache: Scope,
    /// What of it may not be stored in a shared cache.
    pub private: Scope,
    /// Whether nothing of it may be stored.
    pub no_store: bool,
    /// Whether it may not be used when it is stale.
    pub must_revalidate: bool,
    /// The same for shared caches.
    pub proxy_revalidate: bool,
    /// Whether only a cache that knows its status may store it, even if it says `no-store`.
    pub must_understand: bool,
    /// Whether it may be stored although its status or `Authorization` speaks against that.
    pub public: bool,
    /// Whether it does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// How long after that it may be used while it is validated (RFC 5861 §3).
    pub stale_while_revalidate: Option<Duration>,
    /// How long after that it may be used in place of an error (RFC 5861 §4).
    pub stale_if_error: Option<Duration>,
    /// Whether a targeted field says all this, so that `Expires` does not count (RFC 9213 §2.2).
    pub is_targeted: bool,
}

impl OfResponse {
    /// Those of `Cache-Control` in a response with these fields.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for member in members(headers.get_all(CACHE_CONTROL)) {
            match (&member.argument, directives.place(member.name)) {
                // What it hides may forbid all.
                (Argument::Misquoted, _) => directives.private = Scope::Whole,
                (argument, Some(place)) => place.take(argument),
                (_, None) => {}
            }
        }
        directives
    }

    /// Where the directive `name` is written down, whatever its case; `None` where it is not known.
    pub(super) fn place(&mut self, name: &[u8]) -> Option<Place<'_>> {
        named(
            name,
            [
                ("max-age", Place::Seconds(&mut self.max_age)),
                ("s-maxage", Place::Seconds(&mut self.s_maxage)),
                ("no-cache", Place::Scope(&mut self.no_cache)),
                ("private", Place::Scope(&mut self.private)),
                ("no-store", Place::Demand(&mut self.no_store)),
                ("must-revalidate", Place::Demand(&mut self.must_revalidate)),
                ("proxy-revalidate", Place::Demand(&mut self.proxy_revalidate)),
                ("must-understand", Place::Permission(&mut self.must_understand)),
                ("public", Place::Permission(&mut self.public)),
                ("immutable", Place::Permission(&mut self.immutable)),
                ("stale-while-revalidate", Place::Seconds(&mut self.stale_while_revalidate)),
                ("stale-if-error", Place::Seconds(&mut self.stale_if_error)),
            ],
        )
    }
}

/// How much of a response a directive is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// Nothing.
    #[default]
    No,
    /// All of it.
    Whole,
    /// These fields.
    Fields(Box<[HeaderName]>),
}

impl Scope {
    /// The scope of a directive with this list of fields. A list that names no field, or one without which the rest
    /// would be taken for something else, is about all.
    pub(super) fn listed(fields: &[u8]) -> Self {
        let names = fields.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let names = names.filter(|name| !name.is_empty()).map(HeaderName::from_bytes);
        match names.collect::<Result<Box<[_]>, _>>() {
            Ok(names) if !names.is_empty() && !names.iter().any(is_needed) => Self::Fields(names),
            _ => Self::Whole,
        }
    }

    pub(super) fn widen(&mut self, by: Self) {
        *self = match (std::mem::take(self), by) {
            (Self::No, other) | (other, Self::No) => other,
            (Self::Fields(one), Self::Fields(other)) => {
                Self::Fields(one.into_iter().chain(other).collect())
            }
            (Self::Whole, _) | (_, Self::Whole) => Self::Whole,
        };
    }
}

fn is_needed(name: &HeaderName) -> bool {
    [CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, VARY].contains(name)
}

/// Where a directive is written down, by what it may say.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// A number of seconds.
    Seconds(&'a mut Option<Duration>),
    /// The same, or no number for any time.
    AnyOrSeconds(&'a mut Option<Duration>),
    /// It has no argument, and what it demands is done if it has one nevertheless.
    Demand(&'a mut bool),
    /// It has no argument, and what it permits is not done if it has one.
    Permission(&'a mut bool),
    /// A list of fields, or nothing for all.
    Scope(&'a mut Scope),
}

impl Place<'_> {
    fn take(self, argument: &Argument<'_>) {
        match (self, argument) {
            (Place::AnyOrSeconds(seconds), Argument::Absent) => {
                seconds.get_or_insert(Duration::MAX);
            }
            (Place::Seconds(seconds) | Place::AnyOrSeconds(seconds), argument) => {
                let number = argument.text().and_then(delta_seconds::read);
                seconds.get_or_insert(number.unwrap_or_default());
            }
            (Place::Demand(flag), _) => *flag = true,
            (Place::Permission(flag), argument) => *flag |= *argument == Argument::Absent,
            (Place::Scope(scope), argument) => {
                scope.widen(argument.text().map_or(Scope::Whole, Scope::listed));
            }
        }
    }
}

fn named<'a, const N: usize>(
    name: &[u8],
    places: [(&'static str, Place<'a>); N],
) -> Option<Place<'a>> {
    places.into_iter().find(|(own, _)| is(name, own)).map(|(_, place)| place)
}

/// Names of directives are compared without regard to case.
fn is(name: &[u8], own: &str) -> bool {
    name.eq_ignore_ascii_case(own.as_bytes())
}

/// The members of all lines of a field. Lines are read apart, so that a fault in one is no other's.
fn members<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = Member<'a>> {
    let members = lines.into_iter().flat_map(|line| field::members(line.as_bytes()));
    members.filter(|member| !member.is_empty()).map(Member::read)
}
