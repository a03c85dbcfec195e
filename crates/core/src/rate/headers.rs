//! The fields by which a client is told of its limits.
//!
//! `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11, structured fields
//! (RFC 9651); drafts 08 to 11 have the same syntax. Names that a later draft may change stand here and nowhere else.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::ListSerializer;
use smallvec::SmallVec;

use super::joined::{self, Joined};
use super::key::Key;
use super::policy::{Policy, Unit, integer, with_key};

/// What is left of the client's quotas.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Which quotas there are.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The fields that were usual before the draft: what may come at once, what is left, and the seconds until all is back.
const LEGACY_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const LEGACY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const LEGACY_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Type of the problem document (RFC 9457) of a request that was denied; its member [`VIOLATED_POLICIES`] lists the
/// names of the policies.
pub const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
/// The member of the problem document.
pub const VIOLATED_POLICIES: &str = "violated-policies";

/// Names of parameters.
pub(super) mod parameter {
    use sfv::KeyRef;

    /// Of a policy: what it allows ...
    pub(in super::super) const QUOTA: &KeyRef = KeyRef::constant("q");
    /// ... in so many seconds ...
    pub(in super::super) const WINDOW: &KeyRef = KeyRef::constant("w");
    /// ... and of what, if not of requests.
    pub(in super::super) const UNIT: &KeyRef = KeyRef::constant("qu");
    /// Of a service limit: what is left ...
    pub(in super::super) const REMAINING: &KeyRef = KeyRef::constant("r");
    /// ... and the seconds until there is more.
    pub(in super::super) const RESET: &KeyRef = KeyRef::constant("t");
    /// Of both: what tells the client from others.
    pub(in super::super) const PARTITION_KEY: &KeyRef = KeyRef::constant("pk");
}

/// Which fields clients get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Those of the draft, for the window with the least left; one for each unit, where limits count different things.
    Nearest,
    /// Those of the draft, for all windows.
    All,
    /// None.
    None,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`, for the window with the least left.
    Legacy,
}

/// What is left to a client by one policy (service limit, in the draft's words).
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Whole units.
    pub left: u64,
    /// Time until there is one more; `None` if no more are to come.
    pub until_more: Option<Duration>,
    /// Time until all are back.
    pub until_full: Duration,
    /// What tells the client from others, if it is to be told.
    pub key: Option<Key>,
}

impl Service<'_> {
    fn write(&self, list: &mut ListSerializer<&mut String>) {
        let item = list.bare_item(&*self.policy.name);
        let mut item = item.parameter(parameter::REMAINING, integer(self.left));
        if let Some(more) = self.until_more {
            item = item.parameter(parameter::RESET, integer(seconds(more)));
        }
        with_key(item, self.key);
    }
}

/// Fields that are ready to be added to a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(SmallVec<[(HeaderName, HeaderValue); 3]>);

impl Fields {
    /// Those that tell of `services`. `buffer` is overwritten; a caller that keeps it saves an allocation.
    pub fn new(style: Style, services: &[Service<'_>], buffer: &mut String) -> Self {
        let of_unit = |unit| {
            let services = services.iter().filter(move |service| service.policy.unit == unit);
            services.min_by_key(|service| service.left)
        };
        let mut nearest = Unit::ALL.into_iter().filter_map(of_unit);
        match style {
            Style::None => Self::default(),
            Style::All => Self::draft(services.iter(), buffer),
            Style::Nearest => Self::draft(nearest, buffer),
            Style::Legacy => nearest.next().map_or_else(Self::default, Self::legacy),
        }
    }

    fn draft<'a>(
        services: impl Iterator<Item = &'a Service<'a>> + Clone,
        buffer: &mut String,
    ) -> Self {
        let mut limits = list(buffer);
        services.clone().for_each(|service| service.write(&mut limits));
        let Some(limits) = limits.finish().and_then(|text| HeaderValue::from_str(text).ok()) else {
            return Self::default();
        };
        let mut told = services.clone();
        let policies = match (told.next(), told.next()) {
            (Some(Service { policy, key: None, .. }), None) => Some(policy.alone.clone()),
            _ => {
                let mut policies = list(buffer);
                services.for_each(|service| service.policy.write(&mut policies, service.key));
                policies.finish().and_then(|text| HeaderValue::from_str(text).ok())
            }
        };
        let limits = Some((RATE_LIMIT, limits));
        Self(limits.into_iter().chain(policies.map(|text| (RATE_LIMIT_POLICY, text))).collect())
    }

    fn legacy(service: &Service<'_>) -> Self {
        Self(SmallVec::from([
            (LEGACY_LIMIT, service.policy.burst.into()),
            (LEGACY_REMAINING, service.left.into()),
            (LEGACY_RESET, seconds(service.until_full).into()),
        ]))
    }

    /// Add them to a response that may have such fields of its own: lists are joined, and of what both tell of the
    /// stricter is kept.
    pub fn add_to(self, headers: &mut HeaderMap) {
        if let Some((_, ours)) = self.0.iter().find(|(name, _)| *name == LEGACY_REMAINING)
            && let Some(theirs) = headers.get(LEGACY_REMAINING).and_then(number)
            && number(ours).is_some_and(|ours| theirs <= ours)
        {
            return;
        }
        for (name, ours) in self.0 {
            let joined = [(RATE_LIMIT, Joined::Limits), (RATE_LIMIT_POLICY, Joined::Policies)]
                .into_iter()
                .find(|(list, _)| *list == name && headers.contains_key(list))
                .and_then(|(_, of)| joined::lists(&ours, headers.get_all(&name), of));
            headers.insert(name, joined.unwrap_or(ours));
        }
    }
}

/// Value of `Retry-After` (RFC 9110 §10.2.3) for a request that would be let go after `wait`: whole seconds, rounded up,
/// and up to a tenth more by `random`, a number from 0 to below 1. A wait under 10 s has no whole second to be spread by.
pub fn retry_after(wait: Duration, random: f64) -> u64 {
    let least = seconds(wait);
    least + ((least / 10 + 1) as f64 * random) as u64
}

/// Whole seconds, rounded up.
const fn seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add((duration.subsec_nanos() > 0) as u64)
}

fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.trim().parse().ok()
}

fn list(buffer: &mut String) -> ListSerializer<&mut String> {
    buffer.clear();
    ListSerializer::with_buffer(buffer)
}
