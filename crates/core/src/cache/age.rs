//! How old a response is (RFC 9111 §4.2.3).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{AGE, DATE};

use super::{date, delta_seconds};
use crate::time::Moment;

/// When a response was asked for and came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When its request was sent.
    pub sent: Moment,
    /// When its head arrived.
    pub arrived: Moment,
    /// What the clock on the wall showed when it arrived.
    pub date: SystemTime,
}

/// The age that the response says it has: none where `Age` is absent or no number (§5.1). Of several, the first counts.
pub fn of(headers: &HeaderMap) -> Duration {
    let first =
        headers.get(AGE).and_then(|line| line.as_bytes().split(|byte| *byte == b',').next());
    first.and_then(|value| delta_seconds::read(value.trim_ascii())).unwrap_or_default()
}

/// How old the response was at most when it arrived: `corrected_initial_age`.
pub fn initial(headers: &HeaderMap, times: &Times) -> Duration {
    let delay = times.arrived.since(times.sent);
    apparent(headers, times.date).max(of(headers) + delay)
}

/// The age by both clocks: none where `Date` cannot be read or lies ahead. As `Date` has whole seconds, so has this.
fn apparent(headers: &HeaderMap, now: SystemTime) -> Duration {
    let since = date::of(headers, DATE, now).and_then(|date| now.duration_since(date).ok());
    Duration::from_secs(since.unwrap_or_default().as_secs())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    /// Seconds of age that these lines tell.
    fn told(lines: &[&'static str]) -> u64 {
        of(&headers(&lines.iter().map(|line| (AGE, *line)).collect::<Vec<_>>())).as_secs()
    }

    #[test]
    fn the_first_number_counts_whether_in_one_line_or_several() {
        for (lines, seconds) in [
            (&["30"][..], 30),
            (&["007"], 7),
            (&["7200, 0"], 7200),
            (&["0, 7200"], 0),
            (&["7200", "0"], 7200),
            (&["0", "7200"], 0),
            (&["3600", "3600"], 3600),
        ] {
            assert_eq!(told(lines), seconds, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_ignored() {
        for value in ["", "abc", "-7200", "7200.0", "7200;a=b", "7200;a=1", "\"7200\"", "abc, 7200"]
        {
            assert_eq!(told(&[value]), 0, "{value}");
        }
        assert_eq!(told(&[]), 0);
    }

    #[test]
    fn a_large_age_is_two_to_the_power_of_31() {
        for (value, seconds) in [
            ("2147483647", 2_147_483_647),
            ("2147483648", 2_147_483_648),
            ("2147483649", 2_147_483_648),
            ("99999999999999999999999", 2_147_483_648),
        ] {
            assert_eq!(told(&[value]), seconds, "{value}");
        }
    }

    /// The initial age of a response that came 2.5 s after its request, at 08:50:00.9 by our clock.
    fn initial_of(lines: &[(HeaderName, &'static str)]) -> Duration {
        let (sent, date) =
            (Moment(7), SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_800_900));
        let times = Times { sent, arrived: sent.after(SECOND * 5 / 2), date };
        initial(&headers(lines), &times)
    }

    #[test]
    fn the_delay_of_the_response_counts_to_the_age_it_says() {
        assert_eq!(initial_of(&[]), SECOND * 5 / 2);
        assert_eq!(initial_of(&[(AGE, "10")]), SECOND * 25 / 2);
    }

    #[test]
    fn the_date_counts_where_it_makes_the_response_older() {
        let date = (DATE, "Sun, 06 Nov 1994 08:49:00 GMT");
        assert_eq!(initial_of(std::slice::from_ref(&date)), SECOND * 60);
        assert_eq!(initial_of(&[date.clone(), (AGE, "10")]), SECOND * 60);
        assert_eq!(initial_of(&[date, (AGE, "60")]), SECOND * 125 / 2);
    }

    #[test]
    fn a_date_that_lies_ahead_or_cannot_be_read_makes_nothing_older() {
        for date in ["Sun, 06 Nov 1994 09:00:00 GMT", "foo", "0", ""] {
            assert_eq!(initial_of(&[(DATE, date)]), SECOND * 5 / 2, "{date}");
        }
    }

    #[test]
    fn a_date_of_this_second_is_no_age() {
        let (sent, date) =
            (Moment(7), SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_800_900));
        let lines = headers(&[(DATE, "Sun, 06 Nov 1994 08:50:00 GMT")]);
        assert_eq!(initial(&lines, &Times { sent, arrived: sent, date }), Duration::ZERO);
    }
}
