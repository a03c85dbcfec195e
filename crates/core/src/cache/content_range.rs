//! Which bytes of a whole a 206 has: `Content-Range` (RFC 9110 §14.4, §15.3.7).

use std::ops::Range;

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

/// Which bytes of a whole a response has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRange {
    /// These, of which there is at least one.
    pub range: Range<u64>,
    /// How many the whole has.
    pub length: u64,
}

impl ContentRange {
    /// What a 206 with these fields says; `None` where it does not say it well: not once, with an unknown length, of
    /// several parts, or unlike its `Content-Length`.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(CONTENT_RANGE).iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        let said = Self::read(line.to_str().ok()?)?;
        let count = said.range.end - said.range.start;
        let agrees = |length: &HeaderValue| {
            length.to_str().is_ok_and(|length| length.parse::<u64>() == Ok(count))
        };
        let is_multipart = headers.get(CONTENT_TYPE).is_some_and(|content_type| {
            let kind = content_type.as_bytes().get(..10);
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"))
        });
        let agrees = headers.get_all(CONTENT_LENGTH).iter().all(agrees);
        (agrees && !is_multipart).then_some(said)
    }

    fn read(text: &str) -> Option<Self> {
        let (unit, said) = text.split_once(' ')?;
        let (range, length) = said.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last, length) = (number(first)?, number(last)?, number(length)?);
        let is_sound = unit.eq_ignore_ascii_case("bytes") && first <= last && last < length;
        is_sound.then(|| Self { range: first..last + 1, length })
    }

    /// Make the fields of such a response those of the whole.
    pub fn make_whole(&self, headers: &mut HeaderMap) {
        headers.remove(CONTENT_RANGE);
        headers.insert(CONTENT_LENGTH, self.length.into());
    }
}

/// A number without a sign.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::range::content_range;
    use crate::cache::tests::fields;

    fn of(text: &str) -> Option<(Range<u64>, u64)> {
        let said = ContentRange::of(&fields(&[("content-range", text)]));
        said.map(|said| (said.range, said.length))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            first in any::<u64>(), count in 1u64..1 << 40, rest in 0u64..1 << 40,
        ) {
            let first = first % (u64::MAX - count - rest);
            let (range, length) = (first..first + count, first + count + rest);
            let headers = HeaderMap::from_iter([
                (CONTENT_RANGE, content_range(&range, length)),
                (CONTENT_LENGTH, count.into()),
            ]);
            let said = ContentRange::of(&headers);
            prop_assert_eq!(said.as_ref(), Some(&ContentRange { range, length }));
            let mut whole = headers;
            said.iter().for_each(|said| said.make_whole(&mut whole));
            prop_assert!(!whole.contains_key(CONTENT_RANGE));
            prop_assert_eq!(whole.get(CONTENT_LENGTH), Some(&HeaderValue::from(length)));
        }
    }

    #[test]
    fn what_says_nothing_or_no_sense_is_none() {
        assert_eq!(of("bytes 0-4/10"), Some((0..5, 10)));
        assert_eq!(of("Bytes 9-9/10"), Some((9..10, 10)));
        for text in [
            "",
            "bytes",
            "bytes */10",
            "bytes 0-4/*",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes 0-0/0",
            "bytes 0-4",
            "bytes +0-4/10",
            "bytes 0-4/18446744073709551616",
            "lines 0-4/10",
            "bytes=0-4/10",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn what_disagrees_with_the_rest_of_the_head_is_none() {
        let said = ("content-range", "bytes 4-9/10");
        assert!(ContentRange::of(&fields(&[said, ("content-length", "6")])).is_some());
        for wrong in [
            ("content-length", "5"),
            ("content-range", "bytes 4-9/10"),
            ("content-type", "Multipart/byteranges; boundary=x"),
        ] {
            assert_eq!(ContentRange::of(&fields(&[said, wrong])), None, "{wrong:?}");
        }
    }
}
