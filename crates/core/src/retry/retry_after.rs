//! `Retry-After` (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// How long a response asks to wait before its request is repeated: a number of seconds, or until a date,
/// seen from `now`. `None` where it asks nothing, or nothing that can be read.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: Duration = Duration::from_secs(784_111_777);

    fn asked(value: &'static str) -> Option<u64> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        retry_after(&headers, SystemTime::UNIX_EPOCH + NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(asked("0"), Some(0));
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
    }

    #[test]
    fn a_date_that_has_passed_asks_for_no_wait() {
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
    }

    #[test]
    fn what_cannot_be_read_asks_nothing() {
        for value in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(asked(value), None, "{value}");
        }
    }
}
