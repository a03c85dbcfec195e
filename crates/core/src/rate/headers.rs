//! The fields by which a client is told of its limits.
//!
//! `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11, structured fields (RFC
//! 9651); drafts 08 to 11 have the same syntax. Names that a later draft may change stand in `parameter.rs` and nowhere else.

use std::time::Duration;

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::joined::{self, Joined};
use super::parameter;
use super::policy::{LARGEST, Policy};
use super::window::Refill;

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
    /// How they come back; absent: when requests end.
    pub refill: Option<Refill<'a>>,
}

impl Service<'_> {
    /// Time until all are back.
    pub fn until_full(&self) -> Duration {
        self.refill.map_or(Duration::ZERO, |refill| refill.until_full())
    }

    /// As a member of a `RateLimit` field. It is written for each response: so what is the same for all is ready, and
    /// numbers are all that is added to it.
    fn member(&self) -> Vec<u8> {
        let (mut left, mut reset) = (itoa::Buffer::new(), itoa::Buffer::new());
        let left = left.format(self.left.min(LARGEST)).as_bytes();
        let name = &*self.policy.remaining;
        match self.refill.and_then(|refill| refill.until_more(self.left)) {
            None => [name, left].concat(),
            Some(more) => {
                let reset = reset.format(seconds(more).min(LARGEST)).as_bytes();
                [name, left, parameter::THEN_RESET, reset].concat()
            }
        }
    }
}

/// The fields that tell a client of its limits.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    style: Option<Style>,
    services: SmallVec<[Service<'a>; 2]>,
}

impl<'a> Fields<'a> {
    /// Tell of `service` too. How is the `style` of the first that is told.
    pub fn tell(&mut self, style: Style, service: Service<'a>) {
        let style = *self.style.get_or_insert(style);
        let same_unit = |told: &&mut Service<'_>| told.policy.unit == service.policy.unit;
        match self.services.iter_mut().find(same_unit).filter(|_| style != Style::All) {
            Some(told) if service.left < told.left => *told = service,
            Some(_) => {}
            None => self.services.push(service),
        }
    }

    /// Add them to a response that may have such fields of its own: lists are joined, and of what both tell of the
    /// stricter is kept.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        match self.style {
            None | Some(Style::None) => {}
            Some(Style::Nearest | Style::All) => {
                if let (Some(limits), Some(policies)) = (self.limits(), self.policies()) {
                    join(headers, RATE_LIMIT, limits, Joined::Limits);
                    join(headers, RATE_LIMIT_POLICY, policies, Joined::Policies);
                }
            }
            Some(Style::Legacy) => {
                if let Some(first) = self.services.iter().min_by_key(|each| each.policy.unit) {
                    add_legacy(first, headers);
                }
            }
        }
    }

    fn limits(&self) -> Option<HeaderValue> {
        let list = match &self.services[..] {
            [] => return None,
            [service] => service.member(),
            services => services.iter().map(Service::member).collect::<Vec<_>>().join(&b", "[..]),
        };
        HeaderValue::try_from(list).ok()
    }

    fn policies(&self) -> Option<HeaderValue> {
        match &self.services[..] {
            [] => None,
            [Service { policy, .. }] => Some(policy.alone.clone()),
            services => {
                let all = services.iter().map(|service| service.policy.alone.as_bytes());
                HeaderValue::try_from(all.collect::<Vec<_>>().join(&b", "[..])).ok()
            }
        }
    }
}

/// Add the list `ours` to a response that may have one of its own.
fn join(headers: &mut HeaderMap, name: HeaderName, ours: HeaderValue, of: Joined) {
    // A response with as many fields as a map can have goes without.
    match headers.try_entry(name) {
        Ok(Entry::Vacant(place)) => _ = place.try_insert(ours),
        Ok(Entry::Occupied(mut theirs)) => {
            let joined = joined::lists(&ours, theirs.iter(), of);
            theirs.insert(joined.unwrap_or(ours));
        }
        Err(_) => {}
    }
}

/// Add the usual fields to a response, unless its own tell of less.
fn add_legacy(service: &Service<'_>, headers: &mut HeaderMap) {
    let theirs = headers.get(LEGACY_REMAINING).and_then(number);
    if theirs.is_none_or(|theirs| theirs > service.left) {
        headers.insert(LEGACY_LIMIT, service.policy.burst.into());
        headers.insert(LEGACY_REMAINING, service.left.into());
        headers.insert(LEGACY_RESET, seconds(service.until_full()).into());
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::rate::arrival::Arrival;
    use crate::rate::policy::Unit;
    use crate::rate::testing::window;
    use crate::rate::window::Window;
    use crate::time::Moment;

    const SECOND: Duration = Duration::from_secs(1);

    fn windows() -> [Window; 3] {
        [
            window(100, SECOND, 200),
            window(5_000, 3_600 * SECOND, 5_000),
            window(9_000, 60 * SECOND, 9_000),
        ]
    }

    fn policies() -> [Policy; 4] {
        let [user, hourly, bytes] = windows();
        [
            Policy::of_window("per-user", 0, &user, Unit::Requests),
            Policy::of_window("per-user", 1, &hourly, Unit::Requests),
            Policy::of_window("bytes", 0, &bytes, Unit::ContentBytes),
            Policy::of_in_flight("download", 8),
        ]
    }

    /// What is told where so much is left.
    struct Left {
        policies: [Policy; 4],
        windows: [Window; 3],
        left: [u64; 4],
    }

    impl Left {
        fn new() -> Self {
            Self { policies: policies(), windows: windows(), left: [37, 4_000, 9_000, 7] }
        }

        fn services(&self) -> [Service<'_>; 4] {
            [0, 1, 2, 3].map(|index| {
                let left = self.left[index];
                let refill = self.windows.get(index).map(|window| {
                    let spent = window.spend(Arrival::default(), window.burst() - left, Moment(0));
                    Refill::new(window, spent, Moment(0))
                });
                Service { policy: &self.policies[index], left, refill }
            })
        }
    }

    fn fields<'a>(style: Style, services: &[Service<'a>]) -> Fields<'a> {
        let mut fields = Fields::default();
        services.iter().for_each(|service| fields.tell(style, *service));
        fields
    }

    fn told(style: Style, services: &[Service<'_>]) -> Vec<String> {
        added(style, services, &[])
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
        fields(style, services).add_to(&mut headers);
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn the_window_with_the_least_left_of_each_unit_is_told() {
        let told_of = Left::new();
        assert_eq!(
            told(Style::Nearest, &told_of.services()[..2]),
            [r#"ratelimit: "per-user";r=37;t=1"#, r#"ratelimit-policy: "per-user";q=100;w=1"#,]
        );
        assert_eq!(
            told(Style::Nearest, &told_of.services()),
            [
                r#"ratelimit: "per-user";r=37;t=1, "bytes";r=9000, "download";r=7"#,
                r#"ratelimit-policy: "per-user";q=100;w=1, "bytes";q=9000;w=60;qu="content-bytes", "download";q=8;qu="concurrent-requests""#,
            ]
        );
    }

    #[test]
    fn all_windows_are_told_or_none() {
        let told_of = Left::new();
        assert_eq!(
            told(Style::All, &told_of.services()[..2]),
            [
                r#"ratelimit: "per-user";r=37;t=1, "per-user-1h";r=4000;t=1"#,
                r#"ratelimit-policy: "per-user";q=100;w=1, "per-user-1h";q=5000;w=3600"#,
            ]
        );
        assert_eq!(told(Style::None, &told_of.services()), [""; 0]);
        for style in [Style::All, Style::Nearest, Style::Legacy] {
            assert_eq!(told(style, &[]), [""; 0]);
        }
    }

    #[test]
    fn the_usual_fields_tell_the_burst_what_is_left_and_when_all_is_back() {
        let told_of = Left::new();
        assert_eq!(
            told(Style::Legacy, &told_of.services()[..2]),
            ["x-ratelimit-limit: 200", "x-ratelimit-remaining: 37", "x-ratelimit-reset: 2",]
        );
    }

    #[test]
    fn fields_of_an_upstream_are_passed_on_and_joined() {
        let told_of = Left::new();
        let theirs = [
            ("ratelimit", r#""theirs";r=1;t=9"#),
            ("ratelimit", r#""per-user";r=99;t=9, old;r=3"#),
            ("ratelimit-policy", r#""theirs";q=1;w=10;acme-note="x", "per-user";q=600;w=3600"#),
        ];
        assert_eq!(
            added(Style::Nearest, &told_of.services()[..1], &theirs),
            [
                r#"ratelimit: "per-user";r=37;t=1, "theirs";r=1;t=9, old;r=3"#,
                r#"ratelimit-policy: "per-user";q=600;w=3600, "theirs";q=1;w=10;acme-note="x""#,
            ]
        );
        assert_eq!(added(Style::None, &told_of.services(), &theirs).len(), 3, "as they came");
    }

    #[test]
    fn of_one_name_the_stricter_is_kept() {
        let told_of = Left::new();
        let limit = |theirs| {
            added(Style::Nearest, &told_of.services()[..1], &[("ratelimit", theirs)])[0].clone()
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
        let told_of = Left::new();
        for theirs in ["limit=100, remaining=50, reset=50", r#""open;r=1"#, ""] {
            let headers = added(Style::Nearest, &told_of.services()[..1], &[("ratelimit", theirs)]);
            assert_eq!(headers[0], r#"ratelimit: "per-user";r=37;t=1"#, "{theirs}");
        }
    }

    #[test]
    fn of_the_usual_fields_those_with_less_left_are_kept() {
        let told_of = Left::new();
        let remaining = |theirs: &'static str| {
            let theirs = [("x-ratelimit-remaining", theirs), ("x-ratelimit-limit", "40")];
            let mut lines = added(Style::Legacy, &told_of.services()[..1], &theirs);
            lines.sort();
            lines
        };
        assert_eq!(remaining("36"), ["x-ratelimit-limit: 40", "x-ratelimit-remaining: 36"]);
        for looser in ["38", "many"] {
            let ours =
                ["x-ratelimit-limit: 200", "x-ratelimit-remaining: 37", "x-ratelimit-reset: 2"];
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
