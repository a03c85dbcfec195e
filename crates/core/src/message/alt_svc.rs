//! What an endpoint says of HTTP/3 in `Alt-Svc` (RFC 7838 §3).

use std::num::NonZeroU16;

use super::field::{is_token_byte, members};

/// For how many seconds what is said holds where it does not say (§3.1).
const USUAL_AGE: u32 = 24 * 60 * 60;

/// What the fields of a response say. What they said before holds no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AltSvc {
    /// HTTP/3 on the same host; absent: there is none.
    pub http3: Option<Announced>,
}

/// HTTP/3 on the same host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The port.
    pub port: NonZeroU16,
    /// For how many seconds that holds.
    pub max_age: u32,
}

impl AltSvc {
    /// What a field says; `None`: it is malformed, and says nothing.
    #[cold]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value == b"clear" {
            return Some(Self::default());
        }
        let mut services = members(value).filter(|member| !member.is_empty()).map(service);
        // A list has a member, at least.
        let first = Self { http3: services.next()?? };
        services.try_fold(first, |before, http3| Some(before.and(Self { http3: http3? })))
    }

    /// What it says with a field behind it: the first is preferred.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        Self { http3: self.http3.or(next.http3) }
    }
}

/// What `member` of the list is, where it is HTTP/3 on the same host; `None`: it is malformed.
fn service(member: &[u8]) -> Option<Option<Announced>> {
    let (protocol, text) = token(std::str::from_utf8(member).ok()?)?;
    let (authority, text) = quoted(text.strip_prefix('=')?)?;
    let (mut max_age, mut text) = (USUAL_AGE, text.trim_start_matches(BLANK));
    while !text.is_empty() {
        let (name, behind) = token(text.strip_prefix(';')?.trim_start_matches(BLANK))?;
        let behind = behind.strip_prefix('=')?;
        let (value, behind) = quoted(behind).or_else(|| token(behind))?;
        if name.eq_ignore_ascii_case("ma") {
            max_age = seconds(value)?;
        }
        text = behind.trim_start_matches(BLANK);
    }
    let (host, port) = authority.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let is_ours = protocol == "h3" && host.is_empty();
    Some(is_ours.then_some(Announced { port, max_age }))
}

const BLANK: [char; 2] = [' ', '\t'];

fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// What is between quotes; none of what is looked for there needs a backslash.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (inside, behind) = text.strip_prefix('"')?.split_once('"')?;
    (!inside.contains('\\')).then_some((inside, behind))
}

fn seconds(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // One that is too large for a number is as good as the largest.
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn http3(port: u16, max_age: u32) -> Option<AltSvc> {
        let http3 = NonZeroU16::new(port).map(|port| Announced { port, max_age });
        Some(AltSvc { http3 })
    }

    #[test]
    fn http3_on_the_same_host_is_found_among_what_is_announced() {
        for (value, expected) in [
            (r#"h3=":443""#, http3(443, 86_400)),
            (r#"h3=":443"; ma=60"#, http3(443, 60)),
            (r#"h3=":443";ma="60" ; persist=1"#, http3(443, 60)),
            (r#"h2=":444",, h3=":443"; MA=7"#, http3(443, 7)),
            ("h3-29=\":442\",\th3=\":443\"; ma=1, h3=\":445\"", http3(443, 1)),
            (r#"h3=":443"; ma=99999999999999999999"#, http3(443, u32::MAX)),
        ] {
            assert_eq!(AltSvc::parse(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_http3_of_the_same_host_ends_what_held_before() {
        for value in ["clear", r#"h2=":443""#, r#"h3="other.example:443""#, r#"h3-29=":443""#] {
            assert_eq!(AltSvc::parse(value.as_bytes()), Some(AltSvc::default()), "{value}");
        }
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        for value in [
            "",
            "Clear",
            "h3",
            "h3=",
            "h3=:443",
            r#"h3=":443"#,
            ",",
            r#"h3=":443"; ma"#,
            r#"h3=":443"; ma=-1"#,
            r#"h3=":443"; ma="#,
            r#"h3=":443" h2=":1""#,
            r#"h3=":0""#,
            r#"h3=":65536""#,
            r#"h3="443""#,
            r#"h3="\:443""#,
        ] {
            assert_eq!(AltSvc::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn fields_are_one_list() {
        let (none, one) = (AltSvc::default(), AltSvc::parse(br#"h3=":1""#).unwrap_or_default());
        let two = AltSvc::parse(br#"h3=":2""#).unwrap_or_default();
        assert_eq!((none.and(one), one.and(two), one.and(none)), (one, one, one));
    }

    proptest! {
        #[test]
        fn what_a_listener_of_ours_announces_is_read(port in 1_u16.., seconds in any::<u32>()) {
            let value = format!("h3=\":{port}\"; ma={seconds}");
            prop_assert_eq!(AltSvc::parse(value.as_bytes()), http3(port, seconds));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            AltSvc::parse(&bytes);
        }

        #[test]
        fn no_text_of_its_signs_is_too_strange(text in r#"[h3=":;, ma0-9\\]{0,32}"#) {
            AltSvc::parse(text.as_bytes());
        }
    }
}
