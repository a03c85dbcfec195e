//! Dates in fields (RFC 9110 §5.6.7).

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};
use smallvec::SmallVec;
use time::{Date, Month, OffsetDateTime};

const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const SECONDS_OF_DAY: i64 = 86_400;

/// The date in the field `name`, of which the first line counts; `None` where there is none, or one in another format
/// than the three of HTTP. A year of two digits is at most 50 years after `now`.
///
/// Upper and lower case are the same here (RFC 9111 §4.2). Whether the day of the week is that of the date is not
/// looked at.
pub(super) fn of(headers: &HeaderMap, name: HeaderName, now: SystemTime) -> Option<SystemTime> {
    let text = headers.get(name)?.to_str().ok()?.to_ascii_lowercase();
    let seconds = read(&text, now)?;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(distance),
        _ => SystemTime::UNIX_EPOCH.checked_sub(distance),
    }
}

/// Seconds from the epoch to the date in `text`, which is in lower case.
fn read(text: &str, now: SystemTime) -> Option<i64> {
    let parts = text.split(' ').collect::<SmallVec<[&str; 7]>>();
    let (day, month, year, time) = match parts[..] {
        [day_name, day, month, year, time, "gmt"] if is_short(day_name.strip_suffix(',')?) => {
            (digits(day, 2)?, month, digits(year, 4)?, time)
        }
        [day_name, date, time, "gmt"] if DAYS.contains(&day_name.strip_suffix(',')?) => {
            let mut date = date.splitn(3, '-');
            let (day, month, year) = (date.next()?, date.next()?, date.next()?);
            (digits(day, 2)?, month, in_century(digits(year, 2)?, now)?, time)
        }
        [day_name, month, "", day, time, year] if is_short(day_name) => {
            (digits(day, 1)?, month, digits(year, 4)?, time)
        }
        [day_name, month, day, time, year] if is_short(day_name) => {
            (digits(day, 2)?, month, digits(year, 4)?, time)
        }
        _ => return None,
    };
    let month = MONTHS.iter().position(|own| *own == month)? + 1;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year.into(), month, day.try_into().ok()?).ok()?;
    let days = date.to_julian_day() - OffsetDateTime::UNIX_EPOCH.to_julian_day();
    Some(i64::from(days) * SECONDS_OF_DAY + time_of_day(time)?)
}

fn is_short(day_name: &str) -> bool {
    day_name.len() == 3 && DAYS.iter().any(|day| day.starts_with(day_name))
}

/// A leap second is the second after it.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_time = hour < 24 && minute < 60 && second <= 60;
    is_time.then(|| (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second))
}

/// The last year that ends with these two digits and is not over 50 years after `now`.
fn in_century(two_digits: u16, now: SystemTime) -> Option<u16> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs().try_into().ok()?;
    let year = OffsetDateTime::from_unix_timestamp(now).ok()?.year();
    let latest = u16::try_from(year).ok()?.checked_add(50)?;
    Some(latest - (latest - two_digits) % 100)
}

fn digits(text: &str, count: usize) -> Option<u16> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::EXPIRES;

    use super::*;

    /// Thu, 26 Nov 2026 00:00:00 GMT.
    const NOW: Duration = Duration::from_secs(1_795_651_200);

    fn read(text: &'static str) -> Option<i64> {
        let headers = HeaderMap::from_iter([(EXPIRES, HeaderValue::from_static(text))]);
        let date = of(&headers, EXPIRES, SystemTime::UNIX_EPOCH + NOW)?;
        Some(match date.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => after.as_secs() as i64,
            Err(before) => -(before.duration().as_secs() as i64),
        })
    }

    #[test]
    fn the_three_formats_are_read_in_any_case() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "SUN, 06 NOV 1994 08:49:37 gmt",
            "sunday, 06-nov-94 08:49:37 Gmt",
            "sUN nOV  6 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(read(text), Some(784_111_777), "{text}");
        }
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
            ("Wed Nov 16 08:49:37 1994", 784_975_777),
            ("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200),
            ("Sun, 21 Nov 2286 04:46:39 GMT", 10_000_039_599),
        ] {
            assert_eq!(read(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn httpdate_reads_the_same() {
        for seconds in (0..8_000_000_000).step_by(86_399 * 97) {
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let text = httpdate::fmt_http_date(date).to_ascii_lowercase();
            assert_eq!(super::read(&text, date), Some(seconds as i64), "{text}");
        }
    }

    #[test]
    fn two_digits_are_a_year_of_at_most_fifty_years_from_now() {
        for (text, year) in [
            ("Thursday, 01-Jan-50 00:00:00 GMT", 2050),
            ("Thursday, 01-Jan-76 00:00:00 GMT", 2076),
            ("Thursday, 01-Jan-77 00:00:00 GMT", 1977),
            ("Thursday, 01-Jan-99 00:00:00 GMT", 1999),
        ] {
            let seconds = read(text);
            let read = seconds.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
            assert_eq!(read.map(OffsetDateTime::year), Some(year), "{text}");
        }
    }

    #[test]
    fn other_formats_are_no_dates() {
        for text in [
            "",
            "0",
            "784111777",
            "tomorrow",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, x",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Foo, 06 Nov 1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  6 08:49:37 1994 GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
