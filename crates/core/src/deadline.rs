//! How long a request may still take, as services tell each other.

use std::time::Duration;

use http::HeaderValue;

/// The units of `grpc-timeout` and their lengths in nanoseconds, from short to long.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];
/// The largest number that `grpc-timeout` holds: eight digits.
const LARGEST: u64 = 99_999_999;

/// Reads a `grpc-timeout` (*gRPC over HTTP2*): up to eight digits and a unit. `None` if it is none.
pub fn read_grpc_timeout(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| name == unit)?;
    if digits.len() > 8 {
        return None;
    }
    Some(Duration::from_nanos(nanos.checked_mul(read_number(digits)?)?))
}

/// Writes a `grpc-timeout` in the finest unit that holds it; what does not divide is cut off, so that the
/// time told is never longer than the time left.
pub fn write_grpc_timeout(left: Duration) -> HeaderValue {
    let left = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
    let fits = UNITS.iter().find(|(_, nanos)| left / nanos <= LARGEST);
    let (unit, count) = match fits {
        Some((unit, nanos)) => (*unit, left / nanos),
        None => (b'H', LARGEST),
    };
    HeaderValue::try_from(format!("{count}{}", unit as char))
        .unwrap_or(HeaderValue::from_static("0n"))
}

/// Reads a whole number of milliseconds. `None` if it is none.
pub fn read_millis(value: &HeaderValue) -> Option<Duration> {
    read_number(value.as_bytes()).map(Duration::from_millis)
}

/// Writes milliseconds; a part of one is cut off.
pub fn write_millis(left: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
}

/// Digits alone: no sign and no space, which `parse` would take.
fn read_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grpc(value: &'static str) -> Option<Duration> {
        read_grpc_timeout(&HeaderValue::from_static(value))
    }

    #[test]
    fn every_unit_of_grpc_is_read() {
        assert_eq!(grpc("1H"), Some(Duration::from_secs(3_600)));
        assert_eq!(grpc("2M"), Some(Duration::from_secs(120)));
        assert_eq!(grpc("3S"), Some(Duration::from_secs(3)));
        assert_eq!(grpc("40m"), Some(Duration::from_millis(40)));
        assert_eq!(grpc("50u"), Some(Duration::from_micros(50)));
        assert_eq!(grpc("60n"), Some(Duration::from_nanos(60)));
        assert_eq!(grpc("99999999S"), Some(Duration::from_secs(99_999_999)));
    }

    #[test]
    fn what_is_no_timeout_is_not_read() {
        for value in ["", "S", "1", "1s", "+1S", "1 S", "1.5S", "123456789S", "99999999H"] {
            assert_eq!(grpc(value), None, "{value}");
        }
        assert_eq!(read_millis(&HeaderValue::from_static("-1")), None);
        assert_eq!(read_millis(&HeaderValue::from_static("")), None);
    }

    #[test]
    fn the_finest_unit_that_fits_is_written() {
        assert_eq!(write_grpc_timeout(Duration::ZERO), "0n");
        assert_eq!(write_grpc_timeout(Duration::from_millis(250)), "250000u");
        assert_eq!(write_grpc_timeout(Duration::from_secs(100)), "100000m");
        assert_eq!(write_grpc_timeout(Duration::MAX), "5124095H");
    }

    proptest! {
        /// What is written is read again as no more than the time left, and nearly all of it.
        #[test]
        fn a_timeout_survives_being_written(nanos in 0u64..u64::MAX / 4) {
            let left = Duration::from_nanos(nanos);
            let read = read_grpc_timeout(&write_grpc_timeout(left)).unwrap();
            prop_assert!(read <= left);
            prop_assert!(left - read <= left / 10_000 + Duration::from_nanos(1));
        }

        /// Likewise milliseconds.
        #[test]
        fn milliseconds_survive_being_written(millis: u32) {
            let left = Duration::from_millis(millis.into());
            prop_assert_eq!(read_millis(&write_millis(left)), Some(left));
        }
    }
}
