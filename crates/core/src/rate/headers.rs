//! The fields by which a client is told of its limits.
//!
//! `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11, structured fields (RFC
//! 9651); drafts 08 to 11 have the same syntax. Names that a later draft may change stand in `parameter.rs` and nowhere else.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::ListSerializer;
use smallvec::SmallVec;

use super::joined::{self, Joined};
use super::key::Key;
use super::parameter;
use super::policy::{Policy, Unit, integer, with_key};

/// What is left of the client's quotas.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Which quotas there are.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The fields that were usual before the draft: what may come at once, what is left, and the seconds until all is
/// back.
const LEGACY_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const LEGACY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const LEGACY_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Type of the problem document (RFC 9457) of a request that was denied; its member [`VIOLATED_POLICIES`] lists the
/// names of the policies.
pub const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
/// The member of the problem document.
pub const VIOLATED_POLICIES: &str = "violated-policies";

/// Which fields clients get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Those of the draft, for the window with the least left; one for each unit, where limits count different
    /// things.
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

/// Value of `Retry-After` (RFC 9110 §10.2.3) for a request that would be let go after `wait`: whole seconds,
/// rounded up, and up to a tenth more by `random`, a number from 0 to below 1. A wait under 10 s has no whole
/// second to be spread by.
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::rate::testing::{key, window};

    const SECOND: Duration = Duration::from_secs(1);

    fn policies() -> [Policy; 4] {
        [
            Policy::of_window("per-user", 0, &window(100, SECOND, 200), Unit::Requests),
            Policy::of_window("per-user", 1, &window(5_000, 3_600 * SECOND, 5_000), Unit::Requests),
            Policy::of_window("bytes", 0, &window(9_000, 60 * SECOND, 9_000), Unit::ContentBytes),
            Policy::of_in_flight("download", 8),
        ]
    }

    fn service(policy: &Policy, left: u64, until_more: Option<Duration>) -> Service<'_> {
        Service { policy, left, until_more, until_full: 90 * SECOND, key: None }
    }

    fn services(policies: &[Policy; 4]) -> [Service<'_>; 4] {
        [
            service(&policies[0], 37, Some(Duration::from_millis(10))),
            service(&policies[1], 4_000, Some(Duration::from_millis(1_001))),
            service(&policies[2], 8_000, None),
            service(&policies[3], 7, None),
        ]
    }

    fn told(style: Style, services: &[Service<'_>]) -> Vec<String> {
        let fields = Fields::new(style, services, &mut String::from("of another response"));
        fields
            .0
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect()
    }

    /// The lines of a response to which fields with what `services` tell are added.
    fn added(
        style: Style,
        services: &[Service<'_>],
        theirs: &[(&'static str, &'static str)],
    ) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in theirs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Fields::new(style, services, &mut String::new()).add_to(&mut headers);
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn the_window_with_the_least_left_of_each_unit_is_told() {
        let policies = policies();
        assert_eq!(
            told(Style::Nearest, &services(&policies)[..2]),
            [r#"ratelimit: "per-user";r=37;t=1"#, r#"ratelimit-policy: "per-user";q=100;w=1"#,]
        );
        assert_eq!(
            told(Style::Nearest, &services(&policies)),
            [
                r#"ratelimit: "per-user";r=37;t=1, "bytes";r=8000, "download";r=7"#,
                r#"ratelimit-policy: "per-user";q=100;w=1, "bytes";q=9000;w=60;qu="content-bytes", "download";q=8;qu="concurrent-requests""#,
            ]
        );
    }

    #[test]
    fn all_windows_are_told_or_none() {
        let policies = policies();
        assert_eq!(
            told(Style::All, &services(&policies)[..2]),
            [
                r#"ratelimit: "per-user";r=37;t=1, "per-user-1h";r=4000;t=2"#,
                r#"ratelimit-policy: "per-user";q=100;w=1, "per-user-1h";q=5000;w=3600"#,
            ]
        );
        assert_eq!(told(Style::None, &services(&policies)), [""; 0]);
        for style in [Style::All, Style::Nearest, Style::Legacy] {
            assert_eq!(told(style, &[]), [""; 0]);
        }
    }

    #[test]
    fn the_usual_fields_tell_the_burst_what_is_left_and_when_all_is_back() {
        let policies = policies();
        assert_eq!(
            told(Style::Legacy, &services(&policies)[..2]),
            ["x-ratelimit-limit: 200", "x-ratelimit-remaining: 37", "x-ratelimit-reset: 90",]
        );
    }

    #[test]
    fn a_key_is_told_as_bytes_in_both_fields() {
        let policies = policies();
        let service = Service { key: Some(key(1)), ..service(&policies[0], 1, None) };
        let [limit, policy] = &told(Style::Nearest, &[service])[..] else { unreachable!() };
        let pk = limit.split_once(";pk=").unwrap().1;
        assert_eq!(pk.len(), ":".len() + 24 + ":".len(), "{pk}");
        assert!(policy.ends_with(&format!("w=1;pk={pk}")), "{policy}");
    }

    #[test]
    fn fields_of_an_upstream_are_passed_on_and_joined() {
        let policies = policies();
        let theirs = [
            ("ratelimit", r#""theirs";r=1;t=9"#),
            ("ratelimit", r#""per-user";r=99;t=9, old;r=3"#),
            ("ratelimit-policy", r#""theirs";q=1;w=10;acme-note="x", "per-user";q=600;w=3600"#),
        ];
        assert_eq!(
            added(Style::Nearest, &services(&policies)[..1], &theirs),
            [
                r#"ratelimit: "per-user";r=37;t=1, "theirs";r=1;t=9, old;r=3"#,
                r#"ratelimit-policy: "per-user";q=600;w=3600, "theirs";q=1;w=10;acme-note="x""#,
            ]
        );
        assert_eq!(added(Style::None, &services(&policies), &theirs).len(), 3, "as they came");
    }

    #[test]
    fn of_one_name_the_stricter_is_kept() {
        let policies = policies();
        let limit = |theirs| {
            added(Style::Nearest, &services(&policies)[..1], &[("ratelimit", theirs)])[0].clone()
        };
        assert_eq!(limit(r#""per-user";r=36"#), r#"ratelimit: "per-user";r=36"#);
        assert_eq!(limit(r#""per-user";r=37;t=2"#), r#"ratelimit: "per-user";r=37;t=2"#);
        assert_eq!(
            limit("per-user;r=36"),
            "ratelimit: per-user;r=36",
            "a token, as older drafts have it"
        );
        for looser in
            [r#""per-user";r=38"#, r#""per-user";r=37"#, r#""per-user";t=9"#, r#""per-user";r=few"#]
        {
            assert_eq!(limit(looser), r#"ratelimit: "per-user";r=37;t=1"#, "{looser}");
        }
        // Another client of the upstream's limit.
        assert_eq!(
            limit(r#""per-user";r=1;pk=:AAA=:"#),
            r#"ratelimit: "per-user";r=37;t=1, "per-user";r=1;pk=:AAA=:"#
        );
    }

    #[test]
    fn a_list_that_cannot_be_read_does_not_spoil_ours() {
        let policies = policies();
        for theirs in ["limit=100, remaining=50, reset=50", r#""open;r=1"#, ""] {
            let headers =
                added(Style::Nearest, &services(&policies)[..1], &[("ratelimit", theirs)]);
            assert_eq!(headers[0], r#"ratelimit: "per-user";r=37;t=1"#, "{theirs}");
        }
    }

    #[test]
    fn of_the_usual_fields_those_with_less_left_are_kept() {
        let policies = policies();
        let remaining = |theirs: &'static str| {
            let theirs = [("x-ratelimit-remaining", theirs), ("x-ratelimit-limit", "40")];
            let mut lines = added(Style::Legacy, &services(&policies)[..1], &theirs);
            lines.sort();
            lines
        };
        assert_eq!(remaining("36"), ["x-ratelimit-limit: 40", "x-ratelimit-remaining: 36"]);
        for looser in ["38", "many"] {
            let ours =
                ["x-ratelimit-limit: 200", "x-ratelimit-remaining: 37", "x-ratelimit-reset: 90"];
            assert_eq!(remaining(looser), ours);
        }
    }

    #[test]
    fn a_client_comes_back_in_whole_seconds_not_too_early_and_not_all_at_once() {
        let millis = Duration::from_millis;
        assert_eq!(retry_after(Duration::ZERO, 0.99), 0);
        assert_eq!(retry_after(millis(1), 0.0), 1);
        assert_eq!(retry_after(millis(9_001), 0.0), 10);
        assert_eq!(retry_after(millis(9_001), 0.999), 11);
        assert_eq!(retry_after(millis(60_000), 0.999), 66);
        assert_eq!(retry_after(millis(5_000), 0.999), 5, "a tenth of it is no second");
    }
}
