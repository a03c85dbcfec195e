//! Numbers of seconds in fields (RFC 9111 §1.2.2).

use std::time::Duration;

/// What larger numbers stand for: a cache is not to know them apart.
pub(super) const MAX: Duration = Duration::from_secs(1 << 31);

/// The number that `text` is, [`MAX`] at most; `None` where it is anything but digits.
pub(super) fn read(text: &[u8]) -> Option<Duration> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = str::from_utf8(text).ok()?.parse().map_or(MAX, Duration::from_secs);
    Some(number.min(MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_alone() {
        for (text, seconds) in [("0", 0), ("60", 60), ("003600", 3600)] {
            assert_eq!(read(text.as_bytes()), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", " ", "1 ", "-1", "+1", "1.0", "1e3", "0x10", "'1'", "1s", "a1", "\u{661}"]
        {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn large_numbers_are_one() {
        assert_eq!(read(b"2147483647"), Some(MAX - Duration::from_secs(1)));
        for text in ["2147483648", "2147483649", "99999999999", &"9".repeat(1000)] {
            assert_eq!(read(text.as_bytes()), Some(MAX), "{text}");
        }
    }
}
