//! What of a stored response a request gets.

use std::ops::Range;
use std::time::SystemTime;

use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::fields;
use crate::cache::range::{self, Multipart, Selected, content_range, unsatisfied};

fn select(request: &HeaderMap, method: &Method, stored: &HeaderMap, length: u64) -> Selected {
    range::select(request, method, stored, SystemTime::UNIX_EPOCH, length)
}

/// What a `Range` selects of a content of this length.
fn selected(range: &str, length: u64) -> Selected {
    select(&fields(&[("range", range)]), &Method::GET, &fields::<&str>(&[]), length)
}

fn part(part: Range<u64>) -> Selected {
    Selected::Parts([part].into_iter().collect())
}

fn parts<const N: usize>(parts: [Range<u64>; N]) -> Selected {
    Selected::Parts(parts.into_iter().collect())
}

#[test]
fn a_range_is_given_by_its_ends_or_counted_from_the_end() {
    for (range, wanted) in [
        ("bytes=0-1", 0..2),
        ("bytes=1-", 1..11),
        ("bytes=-1", 10..11),
        ("bytes=6-8", 6..9),
        ("bytes=6-", 6..11),
        ("bytes=-5", 6..11),
        ("bytes=0-0", 0..1),
        ("BYTES=0-0", 0..1),
        ("bytes=0-10", 0..11),
        ("bytes=10-999999999999999999999999999", 10..11),
        ("bytes=-12", 0..11),
        ("bytes=-99999999999999999999999999999", 0..11),
        ("bytes=,\t0-1 ,", 0..2),
    ] {
        assert_eq!(selected(range, 11), part(wanted), "{range}");
    }
}

#[test]
fn what_lies_behind_the_end_is_unsatisfiable_unless_another_range_is_not() {
    for range in
        ["bytes=11-", "bytes=11-12", "bytes=-0", "bytes=99999999999999999999-", "bytes=11-,-0"]
    {
        assert_eq!(selected(range, 11), Selected::Unsatisfiable, "{range}");
    }
    assert_eq!(selected("bytes=11-,-0,0-0", 11), part(0..1));
    for (range, wanted) in [
        ("bytes=0-", Selected::Unsatisfiable),
        ("bytes=-1", Selected::Whole),
        ("bytes=-0", Selected::Unsatisfiable),
    ] {
        assert_eq!(selected(range, 0), wanted, "{range} of nothing");
    }
}

#[test]
fn a_range_that_cannot_be_read_is_none() {
    for range in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-1",
        "bytes=1-a",
        "bytes=+1-2",
        "bytes=2-1",
        "bytes=0-1,2-1",
        "bytes=0-1;2-3",
        "bytes=1",
        "bytes=1-2-3",
        "bytes =0-1",
        "bytes: 0-1",
        "lines=0-1",
        "bytes=0 -1",
        "bytes=\u{e9}-1",
    ] {
        assert_eq!(selected(range, 11), Selected::Whole, "{range}");
    }
}

#[test]
fn a_range_is_said_once_and_of_get() {
    let (range, stored) = (("range", "bytes=0-1"), fields::<&str>(&[]));
    let whole = [
        select(&fields(&[range]), &Method::HEAD, &stored, 11),
        select(&fields(&[range, range]), &Method::GET, &stored, 11),
        select(&stored, &Method::GET, &stored, 11),
    ];
    assert!(whole.iter().all(|selected| *selected == Selected::Whole), "{whole:?}");
}

#[test]
fn several_ranges_come_in_the_order_of_the_content_and_what_overlaps_once() {
    assert_eq!(selected("bytes=0-0,-1", 11), parts([0..1, 10..11]));
    assert_eq!(selected("bytes=-1,0-0", 11), parts([0..1, 10..11]));
    assert_eq!(selected("bytes=0-4,3-6,8-8", 11), parts([0..7, 8..9]));
    assert_eq!(selected("bytes=0-4,5-6", 11), part(0..7));
    assert_eq!(selected("bytes=0-,0-,0-,1-2,-3", 11), part(0..11));
}

#[test]
fn a_request_with_too_many_ranges_gets_the_whole() {
    let ranges = |count: usize| {
        let ranges = (0..count).map(|start| format!("{}-{}", 2 * start, 2 * start));
        format!("bytes={}", ranges.collect::<Vec<_>>().join(","))
    };
    let Selected::Parts(parts) = selected(&ranges(16), 100) else {
        unreachable!("16 ranges are answered");
    };
    assert_eq!(parts.len(), 16);
    for count in [17, 10_000] {
        assert_eq!(selected(&ranges(count), 100_000), Selected::Whole);
    }
    assert_eq!(selected(&format!("bytes={}", "0-,".repeat(17)), 100), Selected::Whole);
}

#[test]
fn if_range_is_compared_strongly() {
    const MORNING: &str = "Wed, 01 Jan 2020 08:00:00 GMT";
    const SECOND_LATER: &str = "Wed, 01 Jan 2020 08:00:01 GMT";
    let dated = [("last-modified", MORNING), ("date", SECOND_LATER)];
    for (sent, stored, is_part) in [
        (&["\"abc\""][..], &[("etag", "\"abc\"")][..], true),
        (&["\"ab\""], &[("etag", "\"abc\"")], false),
        (&["W/\"abc\""], &[("etag", "W/\"abc\"")], false),
        (&["\"abc\""], &[("etag", "W/\"abc\"")], false),
        (&["W/\"abc\""], &[("etag", "\"abc\"")], false),
        (&["\"abc\""], &[], false),
        (&["abc"], &[("etag", "abc")], false),
        (&["*"], &[("etag", "\"abc\"")], false),
        (&["\"abc\"", "\"abc\""], &[("etag", "\"abc\"")], false),
        (&[MORNING], &dated, true),
        (&[SECOND_LATER], &dated, false),
        (&["Wednesday, 01-Jan-20 08:00:00 GMT"], &dated, false),
        // Within its second it may have been changed again.
        (&[MORNING], &[("last-modified", MORNING), ("date", MORNING)], false),
        (&[MORNING], &[("last-modified", MORNING)], false),
    ] {
        let mut request = vec![("range", "bytes=0-1")];
        request.extend(sent.iter().map(|value| ("if-range", *value)));
        let selected = select(&fields(&request), &Method::GET, &fields(stored), 11);
        let wanted = if is_part { part(0..2) } else { Selected::Whole };
        assert_eq!(selected, wanted, "{sent:?} of {stored:?}");
    }
}

#[test]
fn a_part_says_where_it_is_and_a_refusal_how_long_the_content_is() {
    assert_eq!(content_range(&(4..10), 10), "bytes 4-9/10");
    assert_eq!(
        content_range(&(0..u64::MAX), u64::MAX),
        format!("bytes 0-{}/{}", u64::MAX - 1, u64::MAX)
    );
    assert_eq!(unsatisfied(10), "bytes */10");
}

#[test]
fn several_parts_are_framed_each_with_its_place() {
    let stored = fields(&[("content-type", "text/plain; charset=utf-8")]);
    let (content, boundary) = ("0123456789A", format!("{:032x}", 0xb0));
    let multipart = Multipart::new(0xb0, &stored, content.len() as u64);
    assert_eq!(multipart.content_type(), format!("multipart/byteranges; boundary={boundary}"));
    let parts = [0..2, 10..11];
    let mut framed = Vec::new();
    for part in &parts {
        framed.extend(multipart.head(part));
        framed.extend(content[part.start as usize..part.end as usize].bytes());
    }
    framed.extend(multipart.end());
    let wanted = format!(
        "\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/11\r\n\r\n01\
         \r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 10-10/11\r\n\r\nA\
         \r\n--{boundary}--\r\n"
    );
    assert_eq!(String::from_utf8(framed).unwrap(), wanted);
    assert_eq!(multipart.length(&parts), wanted.len() as u64);
    let untyped = fields::<&str>(&[]);
    let head = Multipart::new(0xb0, &untyped, 11).head(&(0..2));
    assert_eq!(
        String::from_utf8(head).unwrap(),
        format!("\r\n--{boundary}\r\nContent-Range: bytes 0-1/11\r\n\r\n")
    );
}

/// A range, near the ends of what can be counted or within a content.
fn spec() -> impl Strategy<Value = String> {
    let number = prop_oneof![0u64..40, Just(u64::MAX - 1), Just(u64::MAX)];
    let ends = (prop::option::of(number.clone()), prop::option::of(number));
    ends.prop_map(|(first, last)| {
        let text = |end: Option<u64>| end.map(|end| end.to_string()).unwrap_or_default();
        format!("{}-{}", text(first), text(last))
    })
}

proptest! {
    #[test]
    fn parts_lie_within_the_content_one_after_the_other(
        specs in prop::collection::vec(spec(), 1..20),
        length in prop_oneof![0u64..40, Just(u64::MAX)],
    ) {
        if let Selected::Parts(parts) = selected(&format!("bytes={}", specs.join(",")), length) {
            prop_assert!(!parts.is_empty() && parts.len() <= 16);
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
            prop_assert!(parts.windows(2).all(|two| two[0].end < two[1].start));
            prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= length);
            let untyped = fields::<&str>(&[]);
            let multipart = Multipart::new(1, &untyped, length);
            let heads: u64 = parts.iter().map(|part| multipart.head(part).len() as u64).sum();
            prop_assert!(multipart.length(&parts) >= heads);
        }
    }

    #[test]
    fn a_byte_is_sent_if_a_range_asks_for_it(ranges in prop::collection::vec((0u64..12, 0u64..12), 1..5)) {
        let specs: Vec<_> = ranges.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
        let selected = selected(&format!("bytes={}", specs.join(",")), 11);
        let parts = if let Selected::Parts(parts) = selected { parts } else { Default::default() };
        for byte in 0..30 {
            let is_asked = byte < 11 && ranges.iter().any(|(first, more)| (*first..=first + more).contains(&byte));
            prop_assert_eq!(parts.iter().any(|part| part.contains(&byte)), is_asked);
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(prop_oneof![Just(b'-'), Just(b','), b'0'..=b'9', 0x20u8..0x7f, 0x80u8..], 0..24), length in any::<u64>()) {
        let range = [b"bytes=", &bytes[..]].concat();
        let request = fields(&[("range", &range), ("if-range", &bytes)]);
        select(&request, &Method::GET, &fields::<&str>(&[]), length);
        select(&fields(&[("range", &range)]), &Method::GET, &fields::<&str>(&[]), length);
    }
}
