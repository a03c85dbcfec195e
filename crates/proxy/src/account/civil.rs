//! Calendar time in UTC, for log lines.

use std::io::Write;

/// A moment of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    year: i64,
    month: usize,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    millisecond: u64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Civil {
    /// From nanoseconds since 1970-01-01T00:00:00Z.
    pub(super) fn from_unix_ns(nanoseconds: u64) -> Self {
        let seconds = (nanoseconds / 1_000_000_000) as i64;
        let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
        // A year that begins in March has its leap day at the end, so that the lengths of its
        // months repeat every five: 153 days. 400 such years, an era, have 146,097 days.
        let days_since_march_0000 = days + 719_468;
        let era = days_since_march_0000 / 146_097;
        let day_of_era = days_since_march_0000 % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let months_since_march = (5 * day_of_year + 2) / 153;
        let month = (months_since_march + 2) % 12 + 1;
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: month as usize,
            day: day_of_year - (153 * months_since_march + 2) / 5 + 1,
            hour: second_of_day / 3_600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            millisecond: nanoseconds / 1_000_000 % 1_000,
        }
    }

    /// RFC 3339: `2026-01-31T23:59:59.999Z`.
    pub(super) fn write_rfc3339(&self, line: &mut Vec<u8>) {
        let Self { year, month, day, hour, minute, second, millisecond } = self;
        // Writing to a Vec cannot fail.
        let _ = write!(
            line,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"
        );
    }

    /// The common log format: `31/Jan/2026:23:59:59 +0000`.
    pub(super) fn write_common_log(&self, line: &mut Vec<u8>) {
        let Self { year, day, hour, minute, second, .. } = self;
        let month = MONTHS[self.month - 1];
        // Writing to a Vec cannot fail.
        let _ = write!(line, "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc3339(seconds: u64, milliseconds: u64) -> String {
        let mut line = Vec::new();
        Civil::from_unix_ns((seconds * 1_000 + milliseconds) * 1_000_000).write_rfc3339(&mut line);
        String::from_utf8_lossy(&line).into_owned()
    }

    #[test]
    fn days_around_leap_days_and_year_ends_are_named_right() {
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_399, 999), "2000-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_709_251_199, 1), "2024-02-29T23:59:59.001Z");
        assert_eq!(rfc3339(1_709_251_200, 0), "2024-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_767_225_599, 0), "2025-12-31T23:59:59.000Z");
        assert_eq!(rfc3339(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn the_common_log_format_names_the_month() {
        let mut line = Vec::new();
        Civil::from_unix_ns(971_186_136_000_000_000).write_common_log(&mut line);
        assert_eq!(line, b"10/Oct/2000:13:55:36 +0000");
    }
}
